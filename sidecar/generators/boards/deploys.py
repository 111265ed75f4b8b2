"""Which versions serve, how much of the traffic each has, and when that changed."""

from sidecar import catalog
from sidecar.generators.boards.panels import About, Panel, Query, graph
from sidecar.generators.boards.queries import BAD_OUTCOMES, gauge, quantile_of, rate, share_or_none
from sidecar.generators.boards.tables import Column, overview
from sidecar.generators.links import VERSIONS_UID, Links

_OF = ("model_name", "model_version")


def deploys(links: Links) -> list[Panel]:
    """The panels of the row."""
    return [_versions(links), shares()]


def _versions(links: Links) -> Panel:
    about = About(
        "Versions serving",
        "What each version gets and how it does; the name opens them side by side.",
        "none",
    )
    columns = [
        Column("since", f"1000 * {gauge(catalog.VERSION_FIRST_SEEN, *_OF, how='min')}", "dateTimeFromNow"),
        Column("replicas", gauge(catalog.MODEL_INFO, *_OF, how="count"), "none"),
        Column("requests", rate(catalog.REQUESTS, *_OF), "reqps"),
        Column("errors", share_or_none(catalog.REQUESTS, BAD_OUTCOMES, *_OF), "percentunit"),
        Column("p99", quantile_of("0.99", catalog.REQUEST_DURATION, *_OF), "s"),
    ]
    return overview(about, _OF, columns, width=12, height=8, links={_OF[0]: links.board(VERSIONS_UID)})


def shares() -> Panel:
    """Traffic of a model by version."""
    about = About(
        "Share of traffic by version",
        "How much of a model's traffic each version has: rollouts.",
        "percentunit",
    )
    whole = rate(catalog.REQUESTS, "model_name")
    query = f"{rate(catalog.REQUESTS, *_OF)} / on (model_name) group_left {whole}"
    return graph(about, Query(query, "{{model_name}} {{model_version}}"), width=12)
