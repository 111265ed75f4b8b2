"""What is pushed to a collector, put together from settings: metrics, spans, records of predictions.

Each signal has its own settings, queue and thread; one that hangs holds up no other. Nothing is made for a
signal that is off, and its code is not loaded.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar import catalog
from sidecar.config import otlp_headers
from sidecar.config.telemetry import OtlpSection
from sidecar.exporters.otlp_settings import LOGS, METRICS, SIGNALS, TRACES, OtlpSettings, otlp_settings
from sidecar.inference import ModelRef
from sidecar.monitors.monitor import Monitor
from sidecar.registry import Registry, Snapshot

if TYPE_CHECKING:
    from sidecar.exporters.otlp import OtlpExporter
    from sidecar.exporters.otlp_batches import Batches

log = logging.getLogger("sidecar")

# Shutting down may take this much longer because of us (a pod's whole grace period is 30 s by default).
CLOSE_SECONDS = 2.0
# A verdict stands for minutes; looking at every series for every span would cost more than the span.
_LOOK_AGAIN_SECONDS = 1.0


class Telemetry:
    """Everything that goes out over OTLP. `monitors` are to look at every exchange."""

    def __init__(
        self, otlp: OtlpSection, environ: Mapping[str, str], registry: Registry, version: str, instance: str
    ) -> None:
        self.monitors: list[Monitor] = []
        self.metrics: OtlpExporter | None = None
        self._batches: list[Batches[Any]] = []
        self._registry = registry
        if environ.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip().lower() == "always_off":
            registry.keep_no_exemplars()
        found = _settings(otlp, environ, version, instance)
        if (metrics := found[METRICS]) is not None:
            self._export_metrics(metrics)
        if (traces := found[TRACES]) is not None:
            self._export_spans(otlp, environ, traces)
        if (logs := found[LOGS]) is not None:
            self._export_records(otlp, logs)
        if self._batches:
            registry.before_snapshot(_Totals(registry, self._batches).refresh)

    def close(self, last: Snapshot) -> None:
        """Send what there is, and `last`, if that can be done within the bound; all signals at once."""
        until = time.monotonic() + CLOSE_SECONDS
        for batches in self._batches:
            batches.closing()
        if self.metrics is not None:
            self.metrics.close(last, CLOSE_SECONDS)
        for batches in self._batches:
            batches.close(max(until - time.monotonic(), 0.0))

    def _export_metrics(self, settings: OtlpSettings) -> None:
        from sidecar.exporters.otlp import OtlpExporter

        if settings.exponential:
            self._registry.keep_exponential()
        self.metrics = OtlpExporter(settings)
        self.metrics.count_into(self._registry)

    def _export_spans(self, otlp: OtlpSection, environ: Mapping[str, str], settings: OtlpSettings) -> None:
        from sidecar.exporters.otlp_batches import Batches
        from sidecar.exporters.sampling import sampler
        from sidecar.exporters.spans import Span, Spans

        chosen, problems = sampler(environ, otlp.traces.ratio)
        for problem in problems:
            log.warning("%s", problem)
        if chosen is None:
            return
        batches: Batches[Span] = Batches(settings, _span_codec)
        self.monitors.append(Spans(chosen, batches.put, DriftActive(self._registry)))
        self._batches.append(batches)

    def _export_records(self, otlp: OtlpSection, settings: OtlpSettings) -> None:
        rules = otlp.logs.rules()
        if rules is None:
            return
        from sidecar.exporters.otlp_batches import Batches
        from sidecar.exporters.records import Record, Records
        from sidecar.exporters.redaction import Redactor

        path = otlp.logs.salt_file
        redactor = Redactor(Path(path).read_bytes().strip() if path else b"")
        batches: Batches[Record] = Batches(settings, _record_codec)
        self.monitors.append(Records(rules, redactor, batches.put))
        self._batches.append(batches)


def _settings(
    otlp: OtlpSection, environ: Mapping[str, str], version: str, instance: str
) -> dict[str, OtlpSettings | None]:
    """The settings of each signal. What is wrong with a variable of all signals is said once."""
    found: dict[str, OtlpSettings | None] = {}
    said: set[str] = set()
    headers = _headers(otlp)
    for signal in SIGNALS:
        settings = otlp_settings(
            environ,
            otlp.endpoint or "",
            signal=signal,
            protocol=otlp.protocol or "",
            headers=headers,
            timeout=otlp.timeout,
            compression=otlp.compression or "",
            interval=otlp.interval,
            version=version,
            instance=instance,
        )
        if settings is not None:
            problems = tuple(problem for problem in settings.problems if problem not in said)
            said.update(problems)
            settings = replace(settings, problems=problems)
        found[signal] = settings
    return found


def _headers(otlp: OtlpSection) -> dict[str, str]:
    """Those of the configuration and of its file. A file that has gone since it was checked is said."""
    if not otlp.headers_file:
        return otlp.headers
    try:
        return {**otlp.headers, **otlp_headers.read(otlp.headers_file)}
    except (OSError, ValueError):
        log.warning("otlp.headers_file: cannot be read; the collector may refuse what comes without them")
        return otlp.headers


class DriftActive:
    """Whether a drift verdict stands for a model, as the metric says; at most a second old."""

    def __init__(self, registry: Registry) -> None:
        self._active = registry.gauge(catalog.DRIFT_ACTIVE)
        self._drifting: set[tuple[str, ...]] = set()
        self._look_again = -float("inf")

    def __call__(self, model: ModelRef, now: float) -> bool:
        """See `sidecar.exporters.spans.Drifting`."""
        if now >= self._look_again:
            self._look_again = now + _LOOK_AGAIN_SECONDS
            self._drifting = {labels[:2] for labels, value in self._active.values.items() if value}
        return (model.name, model.version) in self._drifting


class _Totals:
    """Keeps the counters of spans and records up to date, from zero, at each snapshot."""

    def __init__(self, registry: Registry, batches: "list[Batches[Any]]") -> None:
        self._failures = registry.counter(catalog.OTLP_EXPORT_FAILURES)
        self._dropped = registry.counter(catalog.OTLP_DROPPED)
        self._batches = batches
        self._counted: dict[tuple[str, str], int] = {}

    def refresh(self) -> None:
        """Add what came since the last time."""
        for batches in self._batches:
            health = batches.health
            for counter, total in ((self._failures, health.failures), (self._dropped, health.dropped)):
                key = (counter.metric.name, health.signal)
                counter.add(total - self._counted.get(key, 0), health.signal)
                self._counted[key] = total


def _span_codec() -> Any:
    from sidecar.exporters import otlp_spans

    return otlp_spans


def _record_codec() -> Any:
    from sidecar.exporters import otlp_records

    return otlp_records
