"""What every dashboard has around its panels: variables, links to the others, deploys and alerts as marks.

A linter's convention left out: an `instance` variable. Ours are about models; the panels about single
replicas show every one of them by name.
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, DATASOURCE, RED, Panel
from sidecar.generators.boards.queries import ALERTS, INSTALLATION, MODEL, drift_began
from sidecar.generators.links import Links

TAG = "inference-sidecar"
_REQUESTS = catalog.REQUESTS.name


def frame(
    uid: str, title: str, about: str, links: Links, rows: Mapping[str, Sequence[Panel]]
) -> builders.Dashboard:
    """A dashboard with its rows in order, without variables."""
    board = builders.Dashboard(f"Inference / {title}").uid(uid).readonly().description(about)
    board.tags(["inference", "slo", TAG]).timezone("browser")
    board.time("now-3h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR)
    for annotation in _annotations():
        board.annotation(annotation)
    for link in _links(links):
        board.link(link)
    for name, panels in rows.items():
        board.with_row(builders.Row(name))
        for panel in panels:
            board.with_panel(panel)
    return board


def many_models(board: builders.Dashboard) -> builders.Dashboard:
    """With the variables of a dashboard about any number of models."""
    for variable in _installation():
        board.with_variable(variable)
    return board.with_variable(_several(_models()))


def one_model(board: builders.Dashboard, *more: builders.QueryVariable) -> builders.Dashboard:
    """With the variables of a dashboard that only means something for a single model, and `more`."""
    for variable in (*_installation(), _single(_models()), *more):
        board.with_variable(variable)
    return board


def choice(name: str, label: str, query: str, *, last: bool = False) -> builders.QueryVariable:
    """A variable with one value: the first of `query` in order, or the `last`."""
    variable = _single(_variable(name, label, query))
    order = models.VariableSort.NUMERICAL_DESC if last else models.VariableSort.NUMERICAL_ASC
    return variable.sort(order)


def _installation() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    info, within = catalog.BUILD_INFO.name, 'cluster=~"$cluster"'
    # `.*`: outside Kubernetes there is no namespace and in a store of one cluster no cluster; `.+` would not
    # match a label that is not there.
    cluster = _several(_variable("cluster", "Cluster", f"label_values({info}, cluster)"))
    namespace = _several(_variable("namespace", "Namespace", f"label_values({info}{{{within}}}, namespace)"))
    within += ',namespace=~"$namespace"'
    job = _several(_variable("job", "job", f"label_values({info}{{{within}}}, job)"))
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        cluster.all_value(".*"),
        namespace.all_value(".*"),
        job,
    ]


def _models() -> builders.QueryVariable:
    return _variable("model", "Model", f"label_values({_REQUESTS}{{{INSTALLATION}}}, model_name)")


def _variable(name: str, label: str, query: str) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(label).query(query).datasource(DATASOURCE)
    variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return variable.sort(models.VariableSort.ALPHABETICAL_ASC)


def _several(variable: builders.QueryVariable) -> builders.QueryVariable:
    variable.multi(True).include_all(True).all_value(".+")
    return variable.current(models.VariableOption(text="All", value="$__all"))


def _single(variable: builders.QueryVariable) -> builders.QueryVariable:
    return variable.multi(False).include_all(False)


def _links(links: Links) -> list[builders.DashboardLink]:
    others = builders.DashboardLink("Inference").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    runbooks = builders.DashboardLink("Runbooks").type(models.DashboardLinkType.LINK)
    return [
        others.as_dropdown(True).include_vars(True).keep_time(True).icon("dashboard"),
        runbooks.url(f"{links.runbooks}/README.md").icon("doc").target_blank(True),
    ]


def _annotations() -> list[builders.AnnotationQuery]:
    versions = f"count by (model_name, model_version) ({catalog.MODEL_INFO.name}{{{MODEL}}})"
    new = f"{versions} unless {versions.replace('}', '} offset 5m', 1)}"
    began = drift_began("model_name", "kind", "name")
    drift = _annotation("Drift began", began, "{{name}} {{kind}} {{model_name}}", AMBER)
    return [
        _annotation("Alerts", ALERTS, "{{alertname}}", RED),
        _annotation("New version", new, "{{model_name}} {{model_version}}", "blue"),
        drift.use_value_for_time(True),
    ]


def _annotation(name: str, expr: str, title: str, color: str) -> builders.AnnotationQuery:
    annotation = builders.AnnotationQuery().name(name).datasource(DATASOURCE).expr(expr)
    return annotation.title_format(title).icon_color(color).enable(True).hide(False).step("60s")
