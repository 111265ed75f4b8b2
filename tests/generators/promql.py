"""Does an expression say only what the catalogue knows? Parsed, so that no text search is fooled."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import promql_parser as parser
import yaml

from sidecar import catalog
from sidecar.generators import rules
from sidecar.metric import Metric, MetricKind

# What a scrape or an OTLP resource adds.
TARGET = {"cluster", "namespace", "job", "instance", "pod", "track"}
# Series that do not come from us, and those that our recording rules make.
OTHERS = {"up": TARGET, "ALERTS": TARGET | {"alertname", "alertstate", "severity", "model_name", "owner"}}
OTHERS["ALERTS_FOR_STATE"] = OTHERS["ALERTS"] - {"alertstate"}
# Kubernetes' own, where there is Kubernetes.
OTHERS["container_memory_working_set_bytes"] = TARGET | {"container"}
OTHERS["kube_pod_container_resource_limits"] = TARGET | {"container", "resource"}


def parse(expr: str) -> Any:
    """The tree of an expression; Grafana's own variables become something of the right type."""
    return parser.parse(expr.replace("$__rate_interval", "5m").replace("$__range", "3h"))


def problems(expr: str) -> list[str]:
    """What the expression names that does not exist; raises if it cannot be parsed."""
    return list(_problems(parse(expr)))


def metrics(expr: str) -> set[str]:
    """The names of all metrics in the expression."""
    return {selector.name for selector in walk(parse(expr), parser.VectorSelector)}


def kept(expr: str) -> set[str]:
    """The labels that a result of the expression can have: those of its left-most operand."""
    node = parse(expr)
    while not isinstance(node, parser.VectorSelector | parser.AggregateExpr):
        inside = (child for child in _children(node) if next(walk(child, parser.VectorSelector), None))
        node = next(inside, None)
        if node is None:  # vector(1): a series of no labels
            return set()
    labels = set().union(*(_labels(s.name) for s in walk(node, parser.VectorSelector)))
    if not isinstance(node, parser.AggregateExpr):
        return labels
    grouped = set(_grouping(node))
    by = node.modifier and node.modifier.type == parser.AggModifierType.By
    return grouped if by else labels - grouped


@cache
def recorded() -> dict[str, str]:
    """The recordings that the shipped rules make: name and expression."""
    return {rule["record"]: rule["expr"] for rule in _recordings()}


@cache
def _recordings() -> list[dict[str, Any]]:
    groups = [g for text in rules.generate().values() for g in yaml.safe_load(text)["groups"]]
    return [rule for group in groups for rule in group["rules"] if "record" in rule]


def _given(name: str) -> set[str]:
    """Labels that the rule itself writes on what it records."""
    return {label for rule in _recordings() if rule["record"] == name for label in rule.get("labels", ())}


@cache
def _of_recorded(name: str) -> set[str]:
    return kept(recorded()[name]) | _given(name)


def _problems(tree: Any) -> Iterator[str]:
    for selector in walk(tree, parser.VectorSelector):
        yield from _selector_problems(selector)
    for node in [*walk(tree, parser.AggregateExpr), *walk(tree, parser.BinaryExpr)]:
        known = set().union(*(_labels(s.name) for s in walk(node, parser.VectorSelector)), _made(node))
        unknown = set(_grouping(node)) - known
        if unknown:
            yield f"{node}: no series in it has {sorted(unknown)}"
    for call in walk(tree, parser.Call):
        yield from _call_problems(call)
    yield from _bare_counters(tree)


def _selector_problems(selector: Any) -> Iterator[str]:
    labels = _labels(selector.name)
    if not labels:
        yield f"{selector.name}: not in the catalogue"
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels:
            yield f"{selector.name}: has no label {matcher.name}"
        closed = metric.closed.get(matcher.name) if (metric := _metric(selector.name)) else None
        wanted = matcher.value.split("|")
        if closed and not set(wanted) <= set(closed):
            yield f"{selector.name}: {matcher.name} is never {set(wanted) - set(closed)}"


def _call_problems(call: Any) -> Iterator[str]:
    if call.func.name not in ("rate", "increase"):
        return
    for selector in walk(call, parser.VectorSelector):
        metric = _metric(selector.name)
        if metric and metric.kind is MetricKind.GAUGE:
            yield f"{call}: {selector.name} is a gauge"


def _bare_counters(tree: Any) -> Iterator[str]:
    rated = [c for c in walk(tree, parser.Call) if c.func.name in ("rate", "increase")]
    inside = sum(1 for call in rated for _ in _counters(call))
    if inside != sum(1 for _ in _counters(tree)):
        yield f"{tree}: a counter means something only under rate or increase"


def _counters(tree: Any) -> Iterator[Any]:
    for selector in walk(tree, parser.VectorSelector):
        metric = _metric(selector.name)
        if metric and metric.kind is not MetricKind.GAUGE:
            yield selector


def _metric(name: str) -> Metric | None:
    whole = catalog.BY_NAME.get(name)
    if whole is not None:
        return whole if whole.kind is not MetricKind.HISTOGRAM else None
    family = catalog.BY_NAME.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return family if family and family.kind is MetricKind.HISTOGRAM else None


def _labels(name: str) -> set[str]:
    metric = _metric(name)
    if metric is not None:
        return TARGET | set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
    if name in recorded():
        return _of_recorded(name)
    return OTHERS.get(name, set())


def _made(node: Any) -> set[str]:
    """Labels that label_replace and label_join add."""
    adding = ("label_replace", "label_join")
    calls = (call for call in walk(node, parser.Call) if call.func.name in adding)
    return {call.args[1].val for call in calls}


def _grouping(node: Any) -> list[str]:
    if isinstance(node, parser.AggregateExpr):
        return node.modifier.labels if node.modifier else []
    matching = node.modifier.matching if node.modifier else None
    return matching.labels if matching else []


def walk(node: Any, kind: type) -> Iterator[Any]:
    if isinstance(node, kind):
        yield node
    for child in _children(node):
        yield from walk(child, kind)


def _children(node: Any) -> list[Any]:
    if isinstance(node, parser.Call):
        return list(node.args)
    names = ("lhs", "rhs", "expr", "vector_selector", "param")
    found = [getattr(node, name, None) for name in names]
    return [child for child in found if isinstance(child, parser.Expr | parser.VectorSelector)]
