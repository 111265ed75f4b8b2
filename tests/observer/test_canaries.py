"""Secrets and personal data, put into traffic everywhere and looked for in everything that leaves."""

import base64
import json
import logging
import threading

import pytest

from sidecar.admin.status import status
from sidecar.config import load
from sidecar.exporters.prometheus import render
from sidecar.observer.pipeline import Pipeline
from sidecar.observer.telemetry import Telemetry
from tests.exporters.sinks import Sink, http_sink
from tests.wire.playbook import Playbook, answer, request

EMAIL, CARD, PHONE = "alice.canary@example.com", "4111 1111 1111 1111", "+49 30 90182012"
IBAN, TOKEN, KEY = "DE89370400440532013000", "Bearer canary-abc.def", "sk-canary4242abcdABCD4242"
JWT = "eyJhbGciOiJDQU5BUlkifQ.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
CANARIES = (EMAIL, CARD, PHONE, IBAN, TOKEN, KEY, JWT, "canary-password")
# As they might slip through: part of another text, without separators, encoded.
FORMS = {
    *CANARIES,
    *(base64.b64encode(c.encode()).decode().rstrip("=")[:-2] for c in CANARIES),
    CARD.replace(" ", ""),
    PHONE.replace(" ", ""),
    "alice.canary",
    "canary-abc",
    "canary",
}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

CONFIG = """
otlp:
  endpoint: %s
  traces: {ratio: 1}
  logs:
    ratio: 1
    rows: 100
    salt_file: %s
    features: {kept: keep, number: keep, hashed: hash, masked: mask, banded: {bucket: [1, 2]}, nested: keep}
    outputs: {predictions: keep, label: keep}
"""


def rows() -> list[dict]:
    texts = [*CANARIES, *(base64.b64encode(f"see {c}".encode()).decode() for c in CANARIES)]
    texts += [f"call {c} now" for c in CANARIES]
    return [
        {
            "kept": text, "number": 4111111111111111, "hashed": text, "masked": text, "banded": text,
            "nested": {"deep": [text]}, "unlisted": text, "password": "canary-password",
        }
        for text in texts
        if text != "canary-password" and "canary-password" not in text
    ]  # fmt: skip


def traffic() -> Playbook:
    """A prediction that answers, one that fails, and a chat, each with canaries wherever they fit."""
    headers = (
        f"authorization: {TOKEN}", f"x-api-key: {KEY}", f"cookie: session={JWT}", f"baggage: user={EMAIL}",
        f"x-amzn-sagemaker-custom-attributes: {EMAIL}", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01",
        f"tracestate: vendor={EMAIL}", f"x-request-id: {EMAIL}",
    )  # fmt: skip
    asked = json.dumps({"dataframe_records": rows()}).encode()
    predicted = json.dumps({"predictions": [EMAIL, CARD, *["yes"] * (len(rows()) - 2)]}).encode()
    failed = json.dumps({"error_code": "BAD_REQUEST", "message": f"bad value {EMAIL} {CARD}"}).encode()
    chat = json.dumps(
        {"model": "tiny", "messages": [{"role": "user", "content": " ".join(CANARIES)}]}
    ).encode()
    broken = json.dumps(
        {"error": {"message": f"no key {KEY} of {EMAIL}", "type": EMAIL, "code": KEY}}
    ).encode()
    said = json.dumps({
        "model": "tiny", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": EMAIL}}],
    }).encode()  # fmt: skip
    script = Playbook().open()
    query = f"?user={EMAIL}&key={KEY}"
    for target, body, answered, code in (
        (f"/invocations{query}", asked, predicted, 200),
        (f"/invocations{query}", asked, failed, 400),
        (f"/v1/chat/completions{query}", chat, said, 200),
        (f"/v1/chat/completions{query}", chat, broken, 200),
        (f"/v1/chat/completions{query}", chat, broken, 401),
    ):
        script.client(request(target, body, "POST", *headers)).server(answer(answered, code))
    return script


def everything_that_leaves(tmp_path) -> dict[str, bytes]:
    salt = tmp_path / "salt"
    salt.write_text("canary-salt-canary-salt")
    with http_sink() as sink:
        path = tmp_path / "sidecar.yaml"
        path.write_text(CONFIG % (sink.endpoint, salt))
        settings = load(str(path), {}, {})
        pipeline = Pipeline(settings)
        telemetry = Telemetry(settings.otlp, {}, pipeline.registry, "1", "here")
        observer = pipeline.observer
        observer.monitors = (*observer.monitors, *telemetry.monitors)
        for chunk in traffic().chunks:
            observer.feed((chunk,))
        observer.tick(1e9)
        snapshot = pipeline.registry.snapshot()
        telemetry.close(snapshot)
        _wait_for(sink, 3)
    return {
        "text": render(snapshot)[0],
        "openmetrics": render(snapshot, OPENMETRICS)[0],
        "status": json.dumps(status(snapshot, None, {})).encode(),
        "recent": json.dumps(observer.recent.all()).encode(),
        **{path: r.SerializeToString() for path, r in zip(sink.paths, sink.requests, strict=True)},
        # Numbers cannot be recognised in the bytes.
        **{f"{path} as text": str(r).encode() for path, r in zip(sink.paths, sink.requests, strict=True)},
    }


def _wait_for(sink: Sink, requests: int) -> None:
    waiting = threading.Event()
    for _ in range(500):
        if len(sink.requests) >= requests:
            return
        waiting.wait(0.01)
    pytest.fail(f"only {sink.paths} arrived")


def test_no_canary_leaves_the_process(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    sinks = everything_that_leaves(tmp_path)
    sinks["log"] = caplog.text.encode()

    assert {"/v1/metrics", "/v1/traces", "/v1/logs"} <= set(sinks)
    for name, body in sinks.items():
        assert body or name == "log", name
        for form in FORMS:
            assert form.encode() not in body, (name, form)


def test_the_canaries_were_there_to_be_found(tmp_path):
    """The records do hold the rows, so that the test above looks at something."""
    sinks = everything_that_leaves(tmp_path)

    logs = sinks["/v1/logs"]
    for replaced in (
        b"[email]",
        b"[card]",
        b"[phone]",
        b"[iban]",
        b"[token]",
        b"[key]",
        b"[masked]",
        b"[nested]",
    ):
        assert replaced in logs, replaced
    assert b"feature.unlisted" not in logs
    assert TRACE.encode() in sinks["openmetrics"]
    assert bytes.fromhex(TRACE) in sinks["/v1/traces"]
