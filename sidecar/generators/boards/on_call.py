"""The dashboard a page links to: the cause on the first screen, the rest below it.

Top to bottom in the order of the questions: what is promised and broken, what callers see, what comes
in, what goes out and whether it has changed, and whether the monitor can be believed.
"""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from sidecar import catalog
from sidecar.generators.boards import generation, objectives, payload, sidecar, traffic
from sidecar.generators.boards.panels import DATASOURCE, RED, Panel
from sidecar.generators.boards.queries import ALERTS, INSTALLATION, MODEL
from sidecar.generators.links import ON_CALL_UID, Links


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    board = builders.Dashboard("Inference / on call").uid(ON_CALL_UID).readonly()
    board.description("What callers of the models see now, and why. Alerts link here.")
    board.tags(["inference", "slo", "inference-sidecar"]).timezone("browser")
    board.time("now-3h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR)
    for variable in _variables():
        board.with_variable(variable)
    for annotation in _annotations():
        board.annotation(annotation)
    runbooks = builders.DashboardLink("Runbooks").type(models.DashboardLinkType.LINK)
    board.link(runbooks.url(f"{links.runbooks}/README.md").icon("doc").target_blank(True))
    for title, panels in _rows(links).items():
        board.with_row(builders.Row(title))
        for panel in panels:
            board.with_panel(panel)
    return board


def _rows(links: Links) -> dict[str, list[Panel]]:
    return {
        "Objectives": objectives.objectives(links),
        "Requests": traffic.requests(),
        "Generation": generation.generation(),
        "Features": payload.features(links),
        "Predictions and drift": payload.predictions(links),
        "The sidecar itself": sidecar.sidecar(links),
    }


def _variables() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    seen, info = catalog.REQUESTS.name, catalog.BUILD_INFO.name
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        # `.*`: outside Kubernetes there is no namespace label, which `.+` would not match.
        _variable("namespace", "Namespace", f"label_values({info}, namespace)", every=".*"),
        _variable("job", "job", f'label_values({info}{{namespace=~"$namespace"}}, job)', every=".+"),
        _variable("model", "Model", f"label_values({seen}{{{INSTALLATION}}}, model_name)", every=".+"),
    ]


def _variable(name: str, label: str, query: str, *, every: str) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(label).query(query).datasource(DATASOURCE)
    variable.multi(True).include_all(True).all_value(every)
    variable.current(models.VariableOption(text="All", value="$__all"))
    return variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        models.VariableSort.ALPHABETICAL_ASC
    )


def _annotations() -> list[builders.AnnotationQuery]:
    versions = f"count by (model_name, model_version) ({catalog.MODEL_INFO.name}{{{MODEL}}})"
    new = f"{versions} unless {versions.replace('}', '} offset 5m', 1)}"
    return [
        _annotation("Alerts", ALERTS, "{{alertname}}", RED),
        _annotation("New version", new, "{{model_name}} {{model_version}}", "blue"),
    ]


def _annotation(name: str, expr: str, title: str, color: str) -> builders.AnnotationQuery:
    annotation = builders.AnnotationQuery().name(name).datasource(DATASOURCE).expr(expr)
    return annotation.title_format(title).icon_color(color).enable(True).hide(False).step("60s")
