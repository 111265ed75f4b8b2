"""Panels of rows and categories: tables of series, one row for each of something, and shares side by side.

All of them ask instant queries in the format of tables; Grafana joins the answers with transformations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import barchart, table
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.models import common, dashboard, prometheus

from sidecar.generators.boards.panels import (
    DATASOURCE,
    About,
    Panel,
    Query,
    Steps,
    legend,
    runbook,
    target,
)

# A cell that nothing is known for.
_NOTHING = "–"
_NO_LINKS: Mapping[str, str] = {}


def listing(
    about: About,
    query: Query,
    *,
    width: int,
    hidden: Sequence[str] = (),
    order: Sequence[str] = (),
    otherwise: str,
    value: str = "",
    height: int = 8,
    sorted_by: str = "",
) -> Panel:
    """A row for each series of an instant query, its labels as columns but `hidden` ones.

    `order` names those that come first. The value is a column called `value`, or not shown. Rows are as the
    query sorts them, or by the column `sorted_by`, and then as the query does.
    """
    panel = table.Panel().no_value(otherwise)
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.with_target(_rows(query.expr, 0))
    left_out = ("Time", "__name__", *hidden) if value else ("Time", "Value", "__name__", *hidden)
    # `otherwise` is for a table without rows, not for a cell without a label.
    panel.override_by_regexp(".*", [dashboard.DynamicConfigValue(id_val="noValue", value="")])
    panel.with_transformation(_organize(left_out, {"Value": value} if value else {}, order))
    if sorted_by:
        panel.with_transformation(_sorted(sorted_by))
    return panel.links(runbook(about)).span(width).height(height)


@dataclass(frozen=True, slots=True)
class Column:
    """One number of each row of an overview."""

    title: str
    expr: str
    unit: str
    steps: Steps = ()


def overview(
    about: About,
    key: Sequence[str],
    columns: Sequence[Column],
    *,
    width: int,
    height: int,
    links: Mapping[str, str] = _NO_LINKS,
    worst: str = "",
    highest: bool = True,
    otherwise: str = _NOTHING,
) -> Panel:
    """A row for each combination of the labels `key`, with a column for each query.

    All queries must keep exactly these labels. `links` says where a click on a label leads;
    `${__value.raw}` in it becomes the label's value. The rows with the `highest` (or lowest) value in the
    column `worst` come first. `otherwise` is shown instead of a table without rows.
    """
    panel = table.Panel().no_value(otherwise)
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    names = {f"Value #{chr(ord('A') + index)}": column.title for index, column in enumerate(columns)}
    for index, column in enumerate(columns):
        panel.with_target(_rows(column.expr, index))
        panel.override_by_name(column.title, _look(column))
    if otherwise != _NOTHING:
        panel.override_by_regexp(".*", [dashboard.DynamicConfigValue(id_val="noValue", value=_NOTHING)])
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(_organize(("Time",), names, (*key, *names)))
    if worst:
        panel.with_transformation(_sorted(worst, down=highest))
    for label, url in links.items():
        opens = [{"title": "Open", "url": url, "targetBlank": False}]
        panel.override_by_name(label, [dashboard.DynamicConfigValue(id_val="links", value=opens)])
    return panel.links(runbook(about)).span(width).height(height)


def comparison(about: About, category: str, sides: dict[str, str], *, width: int) -> Panel:
    """Bars side by side: for each value of the label `category` one of each query; sorted by `order`.

    The queries keep exactly the labels `category` and `order`; `order` is a number in a label, because
    names of bins do not sort by themselves.
    """
    panel = barchart.Panel().legend(legend()).x_field(category).x_tick_label_rotation(-45)
    panel.title(about.title).description(about.description).unit(about.unit).datasource(DATASOURCE)
    panel.show_value(common.VisibilityMode.NEVER).group_width(0.8).min(0)
    for index, expr in enumerate(sides.values()):
        panel.with_target(_rows(expr, index))
    names = {f"Value #{chr(ord('A') + index)}": side for index, side in enumerate(sides)}
    for transformation in _in_order(names):
        panel.with_transformation(transformation)
    return panel.links(runbook(about)).span(width).height(8)


def _in_order(names: dict[str, str]) -> list[dashboard.DataTransformerConfig]:
    number = {"conversions": [{"targetField": "order", "destinationType": "number"}], "fields": {}}
    return [
        dashboard.DataTransformerConfig(id_val="merge", options={}),
        dashboard.DataTransformerConfig(id_val="convertFieldType", options=number),
        _sorted("order"),
        _organize(("Time", "order"), names),
    ]


def _sorted(field: str, *, down: bool = False) -> dashboard.DataTransformerConfig:
    by = {"field": field, "desc": True} if down else {"field": field}
    return dashboard.DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [by]})


def _rows(expr: str, index: int) -> prometheus_builders.Dataquery:
    return target(Query(expr), index).instant().format(prometheus.PromQueryFormat.TABLE)


def _organize(
    hidden: Sequence[str], names: dict[str, str], order: Sequence[str] = ()
) -> dashboard.DataTransformerConfig:
    places = {name: place for place, name in enumerate(order)}
    options = {"excludeByName": dict.fromkeys(hidden, True), "indexByName": places, "renameByName": names}
    return dashboard.DataTransformerConfig(id_val="organize", options=options)


def _look(column: Column) -> list[dashboard.DynamicConfigValue]:
    look = [dashboard.DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.steps:
        steps = [{"value": value, "color": color} for value, color in column.steps]
        coloured = {"mode": "absolute", "steps": steps}
        look.append(dashboard.DynamicConfigValue(id_val="thresholds", value=coloured))
        cell = {"type": "color-background", "mode": "basic"}
        look.append(dashboard.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
    return look
