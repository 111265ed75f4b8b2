"""PromQL as the dashboards use it: always of the chosen namespace, job and model."""

from sidecar import catalog
from sidecar.generators import fleet_rules
from sidecar.generators.boards.panels import Query
from sidecar.metric import Metric

INSTALLATION = 'cluster=~"$cluster",namespace=~"$namespace",job=~"$job"'
MODEL = f'{INSTALLATION},model_name=~"$model"'
ALERTS = f'ALERTS{{alertname=~"Inference.+",alertstate="firing",{INSTALLATION}}}'
# Without those that only inform: a new version is no trouble.
TROUBLE = f'{ALERTS[:-1]},severity!="info"}}'

BAD_OUTCOMES = 'outcome=~"server_error|upstream_unreachable|upstream_reset|truncated"'
# Made by the rules in `alert-rules/`: from 0 to 1 how a model is, and what of that its parts say; the share
# of the error budget of 30 days that is left, below 0 where it is overspent.
HEALTH, HEALTH_COMPONENT = "model:inference_health:score", "model:inference_health_component:score"
FLEET_PSI, FLEET_JS, FLEET_TV = fleet_rules.DEBIASED, fleet_rules.JS, fleet_rules.TV
BUDGET_LEFT = "slo:period_error_budget_remaining:ratio"

UNAVAILABLE = 'state=~"missing|null|nan|inf|wrong_type"'


def rate(metric: Metric, *by: str, where: str = "", selector: str = MODEL) -> str:
    """`sum by (…) (rate(metric{…}[$__rate_interval]))`, of `selector` and `where`."""
    matchers = f"{selector},{where}" if where else selector
    return f"sum{_by(by)} (rate({metric.name}{{{matchers}}}[$__rate_interval]))"


def share(metric: Metric, where: str, *by: str) -> str:
    """The share of what `where` selects in the whole, for each `by`."""
    return f"{rate(metric, *by, where=where)} / {rate(metric, *by)}"


def share_or_none(metric: Metric, where: str, *by: str) -> str:
    """The same, and 0 where there is no series of the kind that `where` selects."""
    return f"({share(metric, where, *by)}) or 0 * {rate(metric, *by)}"


def busy(expr: str, label: str) -> str:
    """Without the series at zero, which would only fill the legend; one at zero, `none`, if all of them are.

    `expr` keeps `label` and nothing else.
    """
    return f'({expr}) > 0 or label_replace(sum({expr}) == 0, "{label}", "none", "", "")'


def quantile_of(quantile: str, metric: Metric, *by: str, where: str = "", selector: str = MODEL) -> str:
    """A quantile of a histogram for each `by`, `quantile` as 0.99."""
    matchers = f"{selector},{where}" if where else selector
    buckets = f"rate({metric.name}_bucket{{{matchers}}}[$__rate_interval])"
    return f"histogram_quantile({quantile}, sum{_by((*by, 'le'))} ({buckets}))"


def quantile(quantile: str, metric: Metric, *by: str, selector: str = MODEL) -> Query:
    """A latency quantile, with the traces behind it where there are some."""
    legend = " ".join([f"p{quantile[2:]:0<2}", *(f"{{{{{label}}}}}" for label in by)])
    return Query(quantile_of(quantile, metric, *by, selector=selector), legend, exemplar=True)


def average(metric: Metric, *by: str, where: str = "", selector: str = MODEL) -> str:
    """The mean of what a histogram observed, for each `by`."""
    matchers = f"{selector},{where}" if where else selector
    parts = [
        f"sum{_by(by)} (rate({metric.name}_{p}{{{matchers}}}[$__rate_interval]))" for p in ("sum", "count")
    ]
    return " / ".join(parts)


def gauge(metric: Metric, *by: str, where: str = "", how: str = "max", selector: str = MODEL) -> str:
    """A gauge over all replicas: `max by (…) (metric{…})`, or another `how`."""
    matchers = f"{selector},{where}" if where else selector
    return f"{how}{_by(by)} ({metric.name}{{{matchers}}})"


def burn(slo: str = "", *by: str) -> str:
    """Error ratio over budget, a model and objective at a time; 1 spends exactly the budget.

    `by` instead of these, only with an objective.
    """
    where = f'slo="{slo}"' if slo else ""
    bad = f'{where},result="bad"' if slo else 'result="bad"'
    by = by or ("model_name", "slo")
    events = f"{rate(catalog.SLO_EVENTS, *by, where=bad)} / {rate(catalog.SLO_EVENTS, *by, where=where)}"
    return f"{events} / (1 - {gauge(catalog.SLO_OBJECTIVE, *by, where=where)})"


def recorded(name: str, *by: str, where: str = "", how: str = "min") -> str:
    """What a recording rule made: `min by (…) (name{…})`, the worst installation of a model."""
    matchers = f"{MODEL},{where}" if where else MODEL
    return f"{how}{_by(by)} ({name}{{{matchers}}})"


def or_none(expr: str, label: str) -> str:
    """With a series `none` at zero while sidecars are there and none of `expr`: nothing to complain of."""
    here = f"0 * count({catalog.BUILD_INFO.name}{{{INSTALLATION}}})"
    return f'{expr} or label_replace({here} unless on () ({expr}), "{label}", "none", "", "")'


def psi(*by: str, where: str = "") -> str:
    """Distance from the reference of all replicas together; of the worst replica where rules do not say.

    They do where there is a given reference. Both are corrected for sampling, and about 0 without drift.
    """
    one = gauge(catalog.DRIFT_SCORE, *by, where=",".join(filter(None, (where, 'method="psi"'))))
    return f"{recorded(FLEET_PSI, *by, where=where, how='max')} or {one}"


def drift_began(*by: str) -> str:
    """When the changes began about which verdicts stand, as Grafana counts: milliseconds since the epoch.

    Of replicas that differ the earliest.
    """
    return f"1000 * {gauge(catalog.DRIFT_ACTIVE_SINCE, *by, how='min')}"


def firing(severity: str = "", *by: str) -> str:
    """How many pages and tickets fire now, or how many of a severity, for each `by`."""
    selector = f'{ALERTS[:-1]},severity="{severity}"}}' if severity else TROUBLE
    return f"count{_by(by)} ({selector})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
