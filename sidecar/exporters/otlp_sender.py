"""The one door to OpenTelemetry's exporters: builds one, sends one snapshot at a time, says why it failed.

Everything of OpenTelemetry is imported when a sender is made, and only for the protocol in use: gRPC
alone costs 15 MB. The SDK writes dozens of lines, with tracebacks, each time a collector is away; its
loggers are listened to here instead, for the reason, and kept from the log.
"""

import logging
import os
from typing import Any, Protocol

from sidecar.exporters.otlp_settings import GRPC, OtlpSettings
from sidecar.registry import Snapshot

# A collector's gRPC server refuses messages over 4 MiB; a histogram takes about 400 bytes.
MAX_POINTS_PER_REQUEST = 5_000

# What the SDK says in many words -> what we say; the first that fits. The other side's own words never
# reach our log.
_REASONS = (
    ("refused", "connection refused"),
    ("resol", "the name cannot be resolved"),
    ("verify", "the certificate is not accepted"),
    ("ssl", "TLS failed"),
    ("handshake", "TLS failed"),
    ("expected settings frame", "it does not speak gRPC there"),
    ("unauthenticated", "not authenticated"),
    ("code: 401", "not authenticated"),
    ("permission", "not allowed"),
    ("code: 403", "not allowed"),
    ("unimplemented", "it does not take metrics"),
    ("code: 404", "it does not take metrics at this path"),
    ("resource_exhausted", "it is over its limits"),
    ("too many requests", "it is over its limits"),
    ("service unavailable", "unavailable (503)"),
    ("timed out", "no answer in time"),
    ("deadline", "no answer in time"),
    ("unavailable", "unavailable"),
    # All that the HTTP exporter says when its first attempt took the whole time.
    ("due to timeout", "no answer in time"),
)


class Sender(Protocol):
    """Takes one snapshot at a time to the collector."""

    def send(self, snapshot: Snapshot, since: Snapshot | None) -> str:
        """Send; blocks for at most about the timeout. The answer is why it failed, or "" if it did not.

        `since` is the last snapshot that arrived: what a delta is taken against.
        """

    def close(self) -> None:
        """Give up what is in flight. Safe to call from another thread, and while `send` runs."""


class SdkSender:
    """Sends with OpenTelemetry's own exporter. Making one may raise for settings the SDK does not take."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._exporter = _grpc(settings) if settings.protocol == GRPC else _http(settings)
        self._words = _listen()

    def send(self, snapshot: Snapshot, since: Snapshot | None) -> str:
        """See `Sender`."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        from sidecar.exporters.otlp_data import metrics_data

        self._words.heard.clear()
        settings = self._settings
        data = metrics_data(snapshot, settings.resource, delta=settings.delta, since=since)
        if self._exporter.export(data) is MetricExportResult.SUCCESS:
            return ""
        return reason(" ".join(self._words.heard))

    def close(self) -> None:
        """See `Sender`."""
        self._exporter.shutdown()


def reason(words: str) -> str:
    """A short reason for what an exporter or an exception said."""
    words = words.lower()
    return next((ours for theirs, ours in _REASONS if theirs in words), "the export failed")


def _grpc(settings: OtlpSettings) -> Any:
    # gRPC's core writes to stderr by itself, a line for every failed handshake. Read when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(
        endpoint=settings.endpoint,
        # Metadata keys are lower case in HTTP/2, and gRPC refuses others.
        headers=tuple((key.lower(), value) for key, value in settings.headers.items()) or None,
        timeout=settings.timeout,
        compression=Compression.Gzip if settings.compression == "gzip" else Compression.NoCompression,
        max_export_batch_size=MAX_POINTS_PER_REQUEST,
    )


def _http(settings: OtlpSettings) -> Any:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(
        endpoint=settings.endpoint,
        headers=dict(settings.headers) or None,
        timeout=settings.timeout,
        compression=Compression(settings.compression),
        max_export_batch_size=MAX_POINTS_PER_REQUEST,
    )


class _Words(logging.Handler):
    """Hears what the SDK has to say, the first few sentences of it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.heard) < 8:
            self.heard.append(record.getMessage()[:1_000])


def _listen() -> _Words:
    words = _Words()
    for name in ("opentelemetry", "urllib3"):
        logger = logging.getLogger(name)
        logger.handlers = [words]
        logger.propagate = False
    # The gRPC exporter keeps to itself what it said a moment ago; we want to hear it each time.
    logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").filters.clear()
    return words
