"""Sends one snapshot at a time to a collector, and says why it failed. Loads OTLP's messages late."""

from typing import Protocol

from sidecar.exporters.otlp_settings import OtlpSettings
from sidecar.exporters.otlp_transport import Refused, connect
from sidecar.registry import Snapshot


class Sender(Protocol):
    """Takes one snapshot at a time to the collector."""

    def send(self, snapshot: Snapshot, since: Snapshot | None) -> str:
        """Send; blocks for at most about the timeout. The answer is why it failed, or "" if it did not.

        `since` is the last snapshot that arrived: what a delta is taken against.
        """

    def close(self) -> None:
        """Give up what is in flight. Safe to call from another thread, and while `send` runs."""


class MetricsSender:
    """Sends metrics. Making one may raise for settings that do not fit.

    A request that failed is not sent again: totals are cumulative, and a delta reaches back.
    """

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._transport = connect(settings)
        self._exemplars_since = 0.0

    def send(self, snapshot: Snapshot, since: Snapshot | None) -> str:
        """See `Sender`."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        from sidecar.exporters.otlp_data import metrics_requests

        settings = self._settings
        requests = metrics_requests(
            snapshot,
            settings.resource,
            delta=settings.delta,
            since=since,
            exemplars_since=self._exemplars_since,
        )
        try:
            for request in requests:
                answer = self._transport.send(request.SerializeToString())
                refused = ExportMetricsServiceResponse.FromString(answer).partial_success
                if refused.rejected_data_points:
                    return "it rejected a part of the data"
        except Refused as error:
            return str(error)
        self._exemplars_since = snapshot.taken
        return ""

    def close(self) -> None:
        """See `Sender`."""
        self._transport.close()
