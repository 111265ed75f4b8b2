"""Every model on one page, one row each: where to look first."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog, catalog_generation
from sidecar.generators.boards import objectives
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import (
    AMBER,
    BURNING,
    GREEN,
    PLAIN,
    PSI,
    RED,
    SCORE,
    About,
    Panel,
    Query,
    Steps,
    graph,
    number,
)
from sidecar.generators.boards.queries import (
    BAD_OUTCOMES,
    HEALTH,
    MODEL,
    burn,
    firing,
    gauge,
    psi,
    quantile,
    quantile_of,
    rate,
    recorded,
    share_or_none,
)
from sidecar.generators.boards.tables import Column, overview
from sidecar.generators.links import FLEET_UID, MODEL_UID, Links

_ABOUT = "Every model in one table: traffic, failures, budgets, features, drift, versions, alerts."
_FEW_ERRORS: Steps = ((None, GREEN), (0.001, AMBER), (0.01, RED))
_NONE: Steps = ((None, GREEN), (1, AMBER))
# Two namespaces may each have a model of this name; a label that is not there makes no column.
_BY = ("model_name", "namespace", "cluster")
_NAME = "{{model_name}} {{namespace}} {{cluster}}"


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    rows = {
        "Fleet": [*_numbers(), _models(links)],
        "Models over time": _graphs(),
        "Alerts": [objectives.alerts(24)],
    }
    return many_models(frame(FLEET_UID, "fleet", _ABOUT, links, rows))


def _numbers() -> list[Panel]:
    models = f"count(count by ({', '.join(_BY)}) ({catalog.MODEL_INFO.name}{{{MODEL}}}))"
    errors = About("Errors", "Share of all exchanges that a server failed, cut or never got.", "percentunit")
    return [
        number(About("Models seen", "Models that sidecars know.", "none"), Query(models, "models"),
               width=6, steps=PLAIN, otherwise="none seen"),
        number(About("Requests", "Inference exchanges a second, of all models.", "reqps"),
               Query(rate(catalog.REQUESTS), "requests"), width=6, steps=PLAIN, otherwise="no traffic"),
        number(errors, Query(share_or_none(catalog.REQUESTS, BAD_OUTCOMES), "errors"),
               width=6, steps=_FEW_ERRORS, otherwise="no traffic"),
        number(About("Alerts", "Pages and tickets that fire now.", "none"),
               Query(f"{firing()} or vector(0)", "alerts"), width=6, steps=_NONE, otherwise="0"),
    ]  # fmt: skip


def _models(links: Links) -> Panel:
    about = About(
        "Models",
        "One row for each model of each namespace, the least healthy first; its name opens the model, its "
        "namespace that of this one only. Drifting: features and outputs with a verdict. Highest PSI: of a "
        "column, all replicas together. A dash: nothing to measure it by.",
        "none",
    )
    return overview(
        about,
        _BY,
        _columns(),
        width=24,
        height=12,
        links={"model_name": links.board(MODEL_UID), "namespace": links.board_of_namespace(MODEL_UID)},
        worst="health",
        highest=False,
    )


def _columns() -> list[Column]:
    by = f"by ({', '.join(_BY)})"
    complete = f"{rate(catalog.ROWS_COMPLETE, *_BY)} / {rate(catalog.ROWS, *_BY)}"
    drifting = f"sum {by} ({gauge(catalog.DRIFT_ACTIVE, *_BY, 'kind', 'name')})"
    versions = f"count {by} ({gauge(catalog.MODEL_INFO, *_BY, 'model_version', how='count')})"
    replicas = f"count {by} ({gauge(catalog.MODEL_INFO, *_BY, 'instance', how='count')})"
    return [
        Column("health", recorded(HEALTH, *_BY), "percentunit", SCORE),
        Column("requests", rate(catalog.REQUESTS, *_BY), "reqps"),
        Column("errors", share_or_none(catalog.REQUESTS, BAD_OUTCOMES, *_BY), "percentunit", _FEW_ERRORS),
        Column("p99", quantile_of("0.99", catalog.REQUEST_DURATION, *_BY), "s"),
        Column(
            "first token p99", quantile_of("0.99", catalog_generation.GEN_AI_TIME_TO_FIRST_TOKEN, *_BY), "s"
        ),
        Column("availability burn", burn("availability", *_BY), "none", BURNING),
        Column("rows complete", complete, "percentunit", ((None, RED), (0.99, AMBER), (0.999, GREEN))),
        Column("drifting", drifting, "none", _NONE),
        Column("highest PSI", f"max {by} ({psi(*_BY, 'kind', 'name')})", "none", PSI),
        Column("alerts", firing("", *_BY), "none", _NONE),
        Column("versions", versions, "none"),
        Column("replicas", replicas, "none"),
    ]


def _graphs() -> list[Panel]:
    errors = About("Error ratio by model", "Share that the server failed, cut or never got.", "percentunit")
    p99 = About("Latency by model, p99", "Of unary exchanges: last byte in to last byte out.", "s")
    return [
        graph(About("Requests by model", "Inference exchanges a second.", "reqps"),
              Query(rate(catalog.REQUESTS, *_BY), _NAME), width=8, stacked=True),
        graph(errors, Query(share_or_none(catalog.REQUESTS, BAD_OUTCOMES, *_BY), _NAME), width=8),
        graph(p99, quantile("0.99", catalog.REQUEST_DURATION, *_BY), width=8),
    ]  # fmt: skip
