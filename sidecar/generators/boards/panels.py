"""The kinds of panel our dashboards are made of, each with the conventions already in it.

Every panel has a title, a description, a unit and the `datasource` variable. Tables and bar charts of
categories are in `tables`. Needs grafana-foundation-sdk (the extra `dashboards`), so import it late.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, stat, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard

Panel = Builder[dashboard.Panel]
DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `exemplar` asks for the traces behind a latency, where a store has them."""

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
# Of error budgets burning: within, faster than it may, and the slower of the rates that page.
BURNING: Steps = ((None, GREEN), (1, AMBER), (6, RED))
# Of what is better the more there is, as a share.
SCORE: Steps = ((None, RED), (0.5, AMBER), (0.9, GREEN))
# The usual reading of a population stability index: past 0.1 look, past 0.2 these are two distributions.
PSI: Steps = ((None, GREEN), (0.1, AMBER), (0.2, RED))
PLAIN: Steps = ((None, BLUE),)


def graph(
    about: About,
    *queries: Query,
    width: int,
    stacked: bool = False,
    steps: Steps = (),
    floor: float | None = 0,
) -> Panel:
    """Values over time. `steps` draws dashed lines at the limits an alert uses.

    The axis begins at `floor`, or follows the data where that is None.
    """
    panel = timeseries.Panel().legend(legend()).tooltip(_every_series())
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.fill_opacity(30 if stacked else 5).show_points(common.VisibilityMode.NEVER)
    if floor is not None:
        panel.min(floor)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if steps:
        dashed = common.GraphThresholdsStyleMode.DASHED
        panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(dashed))
        panel.thresholds(thresholds(steps))
    for index, query in enumerate(queries):
        panel.with_target(target(query, index).range())
    return panel.links(runbook(about)).span(width).height(8)


def number(about: About, query: Query, *, width: int, steps: Steps, otherwise: str) -> Panel:
    """The present value, large; `otherwise` is shown when there is none."""
    panel = stat.Panel().reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.BACKGROUND)
    panel.text_mode(common.BigValueTextMode.AUTO).thresholds(thresholds(steps)).no_value(otherwise)
    panel.with_target(target(query, 0).instant())
    return panel.links(runbook(about)).span(width).height(4)


def bars(about: About, query: Query, *, width: int, steps: Steps, most: float | None = 1) -> Panel:
    """The present values side by side, in the order in which the query sorts them; `most` fills a bar."""
    panel = bargauge.Panel().reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.orientation(common.VizOrientation.HORIZONTAL).min(0).thresholds(thresholds(steps))
    if most is not None:
        panel.max(most)
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).with_target(target(query, 0).instant())
    return panel.links(runbook(about)).span(width).height(8)


def legend() -> common_builders.VizLegendOptions:
    """Names of series, below."""
    options = common_builders.VizLegendOptions().show_legend(True)
    return options.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)


def target(query: Query, index: int) -> prometheus_builders.Dataquery:
    """A query under the `index`-th letter."""
    target = prometheus_builders.Dataquery().expr(query.expr).datasource(DATASOURCE)
    target.ref_id(chr(ord("A") + index)).legend_format(query.legend or "__auto")
    return target.exemplar(True) if query.exemplar else target


def thresholds(steps: Steps) -> dashboard_builders.ThresholdsConfig:
    """Colours by absolute value."""
    absolute = dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    return absolute.steps([dashboard.Threshold(value=value, color=color) for value, color in steps])


def runbook(about: About) -> list[Builder[dashboard.DashboardLink]]:
    """The link in the corner of a panel, if there is something to do."""
    if not about.runbook:
        return []
    link = dashboard_builders.DashboardLink("Runbook").url(about.runbook).target_blank(True)
    return [link.type(dashboard.DashboardLinkType.LINK)]


def _every_series() -> common_builders.VizTooltipOptions:
    options = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return options.sort(common.SortOrder.DESCENDING)
