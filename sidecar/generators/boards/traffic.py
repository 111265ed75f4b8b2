"""What callers see: rate, errors, duration."""

from sidecar import catalog
from sidecar.generators.boards.panels import About, Panel, Query, graph
from sidecar.generators.boards.queries import MODEL, quantile, rate, share

_BAD_OUTCOMES = 'outcome=~"server_error|upstream_unreachable|upstream_reset|truncated"'


def requests() -> list[Panel]:
    """The panels of the row."""
    requests = catalog.REQUESTS
    return [
        graph(
            About("Requests by outcome", "Inference exchanges a second, by how they ended.", "reqps"),
            Query(rate(requests, "outcome"), "{{outcome}}"),
            width=8,
            stacked=True,
        ),
        graph(
            About(
                "Error ratio by version",
                "Share of exchanges that the server failed, cut or never got, clients' own faults apart.",
                "percentunit",
            ),
            Query(
                share(requests, _BAD_OUTCOMES, "model_name", "model_version"),
                "{{model_name}} {{model_version}}",
            ),
            width=8,
        ),
        graph(
            About("Requests by version", "Where the traffic goes, and when a rollout began.", "reqps"),
            Query(rate(requests, "model_name", "model_version"), "{{model_name}} {{model_version}}"),
            width=8,
            stacked=True,
        ),
        graph(
            About("Latency", "Last byte of the request to last byte of the answer, unary exchanges.", "s"),
            *(quantile(q, catalog.REQUEST_DURATION) for q in ("0.5", "0.9", "0.99")),
            width=8,
        ),
        graph(
            About("Time to first byte", "Last byte of the request to first byte of the answer.", "s"),
            *(quantile(q, catalog.TIME_TO_FIRST_BYTE) for q in ("0.5", "0.9", "0.99")),
            width=8,
        ),
        graph(
            About(
                "In flight", "Exchanges begun and not ended: a queue in the model server shows here.", "none"
            ),
            Query(f"sum by (model_name) ({catalog.IN_FLIGHT.name}{{{MODEL}}})", "{{model_name}}"),
            width=8,
        ),
    ]
