"""The kinds of panel our dashboards are made of, each with the conventions already in it.

Every panel has a title, a description, a unit and the `datasource` variable; rates use
`$__rate_interval`. Needs grafana-foundation-sdk (the extra `dashboards`), so import it late.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, prometheus

Panel = Builder[dashboard.Panel]
DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, AMBER, RED = "green", "orange", "red"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `exemplar` asks for the traces behind a latency."""

    expr: str
    legend: str = ""
    exemplar: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What a panel is called, what it tells, in which unit, and what to do when it looks bad."""

    title: str
    description: str
    unit: str
    runbook: str = ""


# Value from which a colour holds; the first is the base.
Steps = Sequence[tuple[float | None, str]]


def graph(about: About, *queries: Query, width: int, stacked: bool = False, steps: Steps = ()) -> Panel:
    """Values over time. `steps` draws dashed lines at the limits an alert uses."""
    legend = common_builders.VizLegendOptions().show_legend(True)
    legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.min(0).fill_opacity(30 if stacked else 5).show_points(common.VisibilityMode.NEVER)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if steps:
        dashed = common.GraphThresholdsStyleMode.DASHED
        panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(dashed))
        panel.thresholds(_thresholds(steps))
    for index, query in enumerate(queries):
        panel.with_target(_target(query, index).range())
    return panel.links(_links(about)).span(width).height(8)


def number(about: About, query: Query, *, width: int, steps: Steps, otherwise: str) -> Panel:
    """The present value, large; `otherwise` is shown when there is none."""
    panel = stat.Panel().reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.BACKGROUND)
    panel.text_mode(common.BigValueTextMode.AUTO).thresholds(_thresholds(steps)).no_value(otherwise)
    panel.with_target(_target(query, 0).instant())
    return panel.links(_links(about)).span(width).height(4)


def bars(about: About, query: Query, *, width: int, steps: Steps) -> Panel:
    """The present shares side by side, in the order in which the query sorts them."""
    panel = bargauge.Panel().reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.orientation(common.VizOrientation.HORIZONTAL).min(0).max(1).thresholds(_thresholds(steps))
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).with_target(_target(query, 0).instant())
    return panel.links(_links(about)).span(width).height(8)


def listing(about: About, query: Query, *, width: int, hidden: Sequence[str], otherwise: str) -> Panel:
    """A row for each series of an instant query, its labels as columns but `hidden` ones."""
    panel = table.Panel().no_value(otherwise)
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.with_target(_target(query, 0).instant().format(prometheus.PromQueryFormat.TABLE))
    exclude = dict.fromkeys(("Time", "Value", "__name__", *hidden), True)
    options = {"excludeByName": exclude, "indexByName": {}, "renameByName": {}}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=options))
    return panel.links(_links(about)).span(width).height(8)


def _target(query: Query, index: int) -> prometheus_builders.Dataquery:
    target = prometheus_builders.Dataquery().expr(query.expr).datasource(DATASOURCE)
    target.ref_id(chr(ord("A") + index)).legend_format(query.legend or "__auto")
    return target.exemplar(True) if query.exemplar else target


def _thresholds(steps: Steps) -> dashboard_builders.ThresholdsConfig:
    absolute = dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    return absolute.steps([dashboard.Threshold(value=value, color=color) for value, color in steps])


def _links(about: About) -> list[Builder[dashboard.DashboardLink]]:
    if not about.runbook:
        return []
    link = dashboard_builders.DashboardLink("Runbook").url(about.runbook).target_blank(True)
    return [link.type(dashboard.DashboardLinkType.LINK)]
