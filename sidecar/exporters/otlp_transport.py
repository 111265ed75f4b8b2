"""One OTLP request at a time to a collector, over gRPC or HTTP: bytes there, bytes back, or why not.

OpenTelemetry's own exporters are not used: they retry inside, keep a caller for half a minute at shutdown and
say why they failed in log lines only. Here a request is one attempt, bounded by the timeout; who calls
decides what comes next. gRPC is loaded when it is the protocol: it costs 15 MB.

The trap: nothing that the other side says may reach our log, and it may not send us elsewhere: a redirect
would carry the credentials in our headers along.
"""

import base64
import gzip
import http.client
import os
import ssl
import urllib.error
import urllib.request
import zlib
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from sidecar.exporters.otlp_settings import GRPC, OtlpSettings

# An answer says how many points were refused: some hundred bytes.
MAX_ANSWER_BYTES = 64 * 1024

_SERVICES = {"metrics": "MetricsService", "traces": "TraceService", "logs": "LogsService"}
_PACKAGES = {"metrics": "metrics", "traces": "trace", "logs": "logs"}
_GRPC_REASONS = {
    "UNAUTHENTICATED": "not authenticated",
    "PERMISSION_DENIED": "not allowed",
    "RESOURCE_EXHAUSTED": "it is over its limits",
    "DEADLINE_EXCEEDED": "no answer in time",
}
_HTTP_REASONS = {
    401: "not authenticated",
    403: "not allowed",
    413: "the request is too large for it",
    415: "it does not take this format",
    429: "it is over its limits",
    502: "unavailable (502)",
    503: "unavailable (503)",
    504: "unavailable (504)",
}
# What may be sent again unchanged (OpenTelemetry Protocol Specification, "Failures"). Without an answer, too.
_TRY_AGAIN_HTTP = frozenset({429, 502, 503, 504})
_TRY_AGAIN_GRPC = frozenset({
    "CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS",
    "RESOURCE_EXHAUSTED",
})  # fmt: skip
# What sockets and TLS say in many words -> what we say; the first that fits.
_WORDS = (
    ("refused", "connection refused"),
    ("name or service not known", "the name cannot be resolved"),
    ("name resolution", "the name cannot be resolved"),
    ("resol", "the name cannot be resolved"),
    ("verify", "the certificate is not accepted"),
    ("ssl", "TLS failed"),
    ("handshake", "TLS failed"),
    ("tls", "TLS failed"),
    ("expected settings frame", "it does not speak gRPC there"),
    ("timed out", "no answer in time"),
    ("timeout", "no answer in time"),
    ("unreachable", "unreachable"),
    ("reset", "the connection was reset"),
    ("closed", "the connection was closed"),
)


class Refused(Exception):
    """The collector did not take a request. The text is why, in our own words."""

    def __init__(self, why: str, again: bool) -> None:
        super().__init__(why)
        self.again = again
        """Whether the same request may be sent again."""


class Transport(Protocol):
    """Takes encoded requests of one signal to the collector."""

    def send(self, request: bytes) -> bytes:
        """The encoded answer; blocks for about the timeout at most. Raises Refused."""

    def close(self) -> None:
        """Give up what is in flight. Safe from another thread, while `send` runs."""


def connect(settings: OtlpSettings) -> Transport:
    """The transport that the settings ask for. Raises OSError or ValueError if they do not fit."""
    return _Grpc(settings) if settings.protocol == GRPC else _Http(settings)


def reason(words: str) -> str:
    """A short reason for what a socket, TLS or gRPC said."""
    words = words.lower()
    return next((ours for theirs, ours in _WORDS if theirs in words), "the export failed")


class _Grpc:
    def __init__(self, settings: OtlpSettings) -> None:
        # gRPC's core writes to stderr by itself, a line for every failed handshake. Read when it is imported.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        import grpc

        self._error = grpc.RpcError
        self._signal = settings.signal
        self._timeout = settings.timeout
        # Metadata keys are lower case in HTTP/2, and gRPC refuses others.
        self._metadata = tuple((key.lower(), value) for key, value in settings.headers.items())
        gzipped = settings.compression == "gzip"
        compression = grpc.Compression.Gzip if gzipped else grpc.Compression.NoCompression
        target, secure = _grpc_target(settings)
        # Its own back-off reaches minutes; a collector that is back should be found within the next export.
        options = [("grpc.max_reconnect_backoff_ms", 10_000), ("grpc.enable_http_proxy", 1)]
        if secure:
            files = (settings.tls.ca, settings.tls.key, settings.tls.certificate)
            credentials = grpc.ssl_channel_credentials(*(_read(path) for path in files))
            self._channel = grpc.secure_channel(target, credentials, options, compression)
        else:
            self._channel = grpc.insecure_channel(target, options, compression)
        package, service = _PACKAGES[settings.signal], _SERVICES[settings.signal]
        self._call = self._channel.unary_unary(
            f"/opentelemetry.proto.collector.{package}.v1.{service}/Export"
        )

    def send(self, request: bytes) -> bytes:
        """See `Transport`."""
        try:
            answer = self._call(request, timeout=self._timeout, metadata=self._metadata)
        except self._error as error:
            code, details = error.code().name, (error.details() or "")
            if code == "UNIMPLEMENTED":
                raise Refused(f"it does not take {self._signal}", False) from error
            known = _GRPC_REASONS.get(code)
            if known is None:
                known = reason(details) if code == "UNAVAILABLE" else "the export failed"
                known = "unavailable" if (code, known) == ("UNAVAILABLE", "the export failed") else known
            raise Refused(known, code in _TRY_AGAIN_GRPC) from error
        return bytes(answer)

    def close(self) -> None:
        """See `Transport`."""
        self._channel.close()


class _Http:
    def __init__(self, settings: OtlpSettings) -> None:
        self._url, user = _without_user(settings.endpoint)
        self._signal = settings.signal
        self._timeout = settings.timeout
        self._pack, encoding = _packing(settings.compression)
        self._headers = {
            "Content-Type": "application/x-protobuf",
            "User-Agent": f"inference-sidecar/{settings.resource.get('service.version', '0')}",
            **({"Content-Encoding": encoding} if encoding else {}),
            **user,
            **settings.headers,
        }
        if urlsplit(self._url).scheme not in ("http", "https"):
            raise ValueError("the endpoint is not a URL with http or https")
        context = ssl.create_default_context(cafile=settings.tls.ca or None)
        if settings.tls.certificate:
            context.load_cert_chain(settings.tls.certificate, settings.tls.key or None)
        self._open = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=context)
        ).open

    def send(self, request: bytes) -> bytes:
        """See `Transport`."""
        post = urllib.request.Request(self._url, self._pack(request), self._headers)  # noqa: S310 - checked
        try:
            with self._open(post, timeout=self._timeout) as answer:
                body = answer.read(MAX_ANSWER_BYTES)
                return bytes(body) if "protobuf" in answer.headers.get("Content-Type", "") else b""
        except urllib.error.HTTPError as error:
            error.close()
            raise Refused(self._why(error.code), error.code in _TRY_AGAIN_HTTP) from error
        except (OSError, http.client.HTTPException) as error:
            raise Refused(reason(f"{error} {type(error).__name__}"), True) from error

    def close(self) -> None:
        """See `Transport`. Nothing to interrupt: the thread that waits ends with the process."""

    def _why(self, status: int) -> str:
        if status == 404:
            return f"it does not take {self._signal} at this path"
        if 300 <= status < 400:
            return "it answers with a redirect, which is not followed"
        return _HTTP_REASONS.get(status, "the export failed")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never: see the module."""


def _without_user(endpoint: str) -> tuple[str, dict[str, str]]:
    """The URL without user name and password, and the header that says them."""
    before, at, after = endpoint.rpartition("@")
    scheme, slashes, user = before.partition("://")
    if not (at and slashes):
        return endpoint, {}
    words = base64.b64encode(unquote(user).encode()).decode()
    return f"{scheme}://{after}", {"Authorization": f"Basic {words}"}


def _packing(compression: str) -> tuple[Any, str]:
    if compression == "gzip":
        # Level 1: metrics are the same words over and over, and more effort gains a tenth.
        return lambda data: gzip.compress(data, 1), "gzip"
    if compression == "deflate":
        return zlib.compress, "deflate"
    return bytes, ""


def _grpc_target(settings: OtlpSettings) -> tuple[str, bool]:
    """What gRPC dials, and whether with TLS: the scheme says, else `insecure` does."""
    parts = urlsplit(settings.endpoint)
    if parts.scheme in ("http", "https") and parts.netloc:
        return parts.netloc.rpartition("@")[2], parts.scheme == "https"
    return settings.endpoint, not settings.tls.insecure


def _read(path: str) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()
