"""What callers see: rate, errors, duration."""

from sidecar import catalog
from sidecar.generators.boards.panels import About, Panel, Query, graph
from sidecar.generators.boards.queries import BAD_OUTCOMES, busy, gauge, quantile, rate, share_or_none

_QUANTILES = ("0.5", "0.9", "0.99")
_VERSION = ("model_name", "model_version")
_VERSION_LEGEND = "{{model_name}} {{model_version}}"


def requests() -> list[Panel]:
    """The panels of the row."""
    return [_errors(), _versions(), _codes(), _first_byte(), _in_flight()]


def outcomes() -> Panel:
    """How requests end."""
    about = About("Requests by outcome", "Inference exchanges a second, by how they ended.", "reqps")
    return graph(about, Query(rate(catalog.REQUESTS, "outcome"), "{{outcome}}"), width=8, stacked=True)


def _errors() -> Panel:
    about = About(
        "Error ratio by version",
        "Share of exchanges that the server failed, cut or never got, clients' own faults apart.",
        "percentunit",
    )
    return graph(
        about, Query(share_or_none(catalog.REQUESTS, BAD_OUTCOMES, *_VERSION), _VERSION_LEGEND), width=8
    )


def _versions() -> Panel:
    about = About("Requests by version", "Where the traffic goes, and when a rollout began.", "reqps")
    return graph(about, Query(rate(catalog.REQUESTS, *_VERSION), _VERSION_LEGEND), width=8, stacked=True)


def latency() -> Panel:
    """How long requests take."""
    about = About(
        "Latency",
        "Last byte of the request to last byte of the answer, unary exchanges; and the strictest objective.",
        "s",
    )
    promised = gauge(catalog.SLO_THRESHOLD, where='slo="latency"', how="min")
    lines = (quantile(q, catalog.REQUEST_DURATION) for q in _QUANTILES)
    return graph(about, *lines, Query(promised, "objective"), width=8)


def _codes() -> Panel:
    about = About("Requests by code", "HTTP status or gRPC code, those that are not fine.", "reqps")
    failed = rate(catalog.REQUESTS, "code", where='outcome!="ok"')
    return graph(about, Query(busy(failed, "code"), "{{code}}"), width=8, stacked=True)


def _first_byte() -> Panel:
    about = About("Time to first byte", "Last byte of the request to first byte of the answer.", "s")
    return graph(about, *(quantile(q, catalog.TIME_TO_FIRST_BYTE) for q in _QUANTILES), width=8)


def _in_flight() -> Panel:
    about = About(
        "In flight", "Exchanges begun and not ended: a queue in the model server shows here.", "none"
    )
    query = gauge(catalog.IN_FLIGHT, "model_name", how="sum")
    return graph(about, Query(query, "{{model_name}}"), width=8)
