"""What is not in test_otlp_sender: answers that are neither yes nor no, addresses, certificates."""

import base64
import ssl
from dataclasses import replace

import pytest

from sidecar.exporters.otlp_settings import GRPC, HTTP, SIGNALS, OtlpSettings, Tls, otlp_settings
from sidecar.exporters.otlp_transport import Refused, _grpc_target, connect
from tests.exporters.sinks import closed_port, grpc_sink, http_sink
from tests.relay.certificates import authority

SINKS = {GRPC: grpc_sink, HTTP: http_sink}


def sent(settings: OtlpSettings, request: bytes = b"") -> bytes:
    transport = connect(settings)
    try:
        return transport.send(request)
    finally:
        transport.close()


def refused(settings: OtlpSettings) -> Refused:
    with pytest.raises(Refused) as found:
        sent(settings)
    return found.value


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_each_signal_has_its_own_place(signal, protocol):
    with SINKS[protocol]() as sink:
        sent(otlp_settings({}, sink.endpoint, signal=signal, protocol=protocol))

    (path,) = sink.paths
    assert signal.removesuffix("s") in path.lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with http_sink(status) as sink:
        error = refused(OtlpSettings(sink.endpoint + "/v1/metrics"))

    assert (str(error), error.again) == ("it answers with a redirect, which is not followed", False)
    assert sink.paths == ["/v1/metrics"]


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (401, False), (413, False), (500, False), (429, True), (503, True)],
)
def test_only_what_the_specification_says_may_be_sent_again(status, again):
    with http_sink(status) as sink:
        assert refused(OtlpSettings(sink.endpoint + "/v1/metrics")).again is again


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_without_an_answer_it_may_be_sent_again(protocol):
    settings = OtlpSettings(f"http://127.0.0.1:{closed_port()}", protocol, timeout=2)

    error = refused(settings)

    assert (str(error), error.again) == ("connection refused", True)


def test_user_and_password_of_a_url_become_a_header_and_nothing_else():
    with http_sink() as sink:
        url = sink.endpoint.replace("//", "//user:p%40ss@") + "/v1/metrics"
        sent(OtlpSettings(url))

    words = base64.b64encode(b"user:p@ss").decode()
    assert sink.headers[0]["authorization"] == f"Basic {words}"
    assert "user" not in sink.headers[0]["host"]


def test_a_headers_value_cannot_add_another_header():
    transport = connect(OtlpSettings("http://127.0.0.1:1/v1/metrics", headers={"a": "b\r\nevil: c"}))
    with pytest.raises(ValueError):
        transport.send(b"")


@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [
        ("http://c:4317", False, ("c:4317", False)),
        ("https://c:4317", True, ("c:4317", True)),
        ("https://user:word@c:4317/", True, ("c:4317", True)),
        ("c:4317", False, ("c:4317", True)),
        ("c:4317", True, ("c:4317", False)),
        ("unix:///run/c", True, ("unix:///run/c", False)),
    ],
)
def test_the_scheme_says_whether_grpc_is_encrypted_else_the_variable_does(endpoint, insecure, expected):
    assert _grpc_target(OtlpSettings(endpoint, GRPC, tls=Tls(insecure=insecure))) == expected


def test_certificates_come_from_the_usual_variables_the_signals_own_first():
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "/logs-ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/me.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/me.key",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
    }
    assert otlp_settings(environ).tls == Tls("/ca.pem", "/me.pem", "/me.key", True)
    assert otlp_settings(environ, signal="logs").tls.ca == "/logs-ca.pem"


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_certificate_that_is_not_there_is_an_error_when_connecting(protocol):
    with pytest.raises((OSError, ssl.SSLError)):
        connect(OtlpSettings("https://c:1", protocol, tls=Tls(ca="/nowhere.pem")))


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_behind_tls_is_trusted_by_its_authority_and_may_ask_for_our_certificate(
    protocol, tmp_path
):
    issuer = authority(tmp_path)
    own, client = issuer.issue("collector"), issuer.issue("sidecar")
    other = authority(tmp_path, "somebody else")
    with SINKS[protocol](tls=(issuer.ca, *own)) as sink:
        secure = OtlpSettings(f"{sink.endpoint}/v1/metrics" if protocol == HTTP else sink.endpoint, protocol)

        def with_files(ca: str, pair: tuple[str, str]) -> OtlpSettings:
            return replace(secure, timeout=5, tls=Tls(ca, *pair))

        assert sent(with_files(issuer.ca, client)) == b""
        assert str(refused(with_files(other.ca, client))) in ("the certificate is not accepted", "TLS failed")
        refused(with_files(issuer.ca, ("", "")))

    assert len(sink.requests) == 1
