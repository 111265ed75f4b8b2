"""PromQL as the dashboards use it: always of the chosen namespace, job and model."""

from sidecar import catalog
from sidecar.generators.boards.panels import Query
from sidecar.metric import Metric

INSTALLATION = 'namespace=~"$namespace",job=~"$job"'
MODEL = f'{INSTALLATION},model_name=~"$model"'
ALERTS = f'ALERTS{{alertname=~"Inference.+",alertstate="firing",{INSTALLATION}}}'


def rate(metric: Metric, *by: str, where: str = "", selector: str = MODEL) -> str:
    """`sum by (…) (rate(metric{…}[$__rate_interval]))`, of `selector` and `where`."""
    matchers = f"{selector},{where}" if where else selector
    grouping = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouping} (rate({metric.name}{{{matchers}}}[$__rate_interval]))"


def share(metric: Metric, where: str, *by: str) -> str:
    """The share of what `where` selects in the whole, for each `by`."""
    return f"{rate(metric, *by, where=where)} / {rate(metric, *by)}"


def quantile(quantile: str, metric: Metric) -> Query:
    """A latency quantile, `quantile` as 0.99, with the traces behind it."""
    buckets = f"sum by (le) (rate({metric.name}_bucket{{{MODEL}}}[$__rate_interval]))"
    return Query(f"histogram_quantile({quantile}, {buckets})", f"p{quantile[2:]:0<2}", exemplar=True)


def burn(slo: str = "") -> str:
    """Error ratio over budget, a model and objective at a time; 1 spends exactly the budget."""
    where = f'slo="{slo}"' if slo else ""
    bad = f'{where},result="bad"' if slo else 'result="bad"'
    by = ("model_name", "slo")
    events = f"{rate(catalog.SLO_EVENTS, *by, where=bad)} / {rate(catalog.SLO_EVENTS, *by, where=where)}"
    objective = f"max by (model_name, slo) ({catalog.SLO_OBJECTIVE.name}{{{MODEL}}})"
    return f"{events} / (1 - {objective})"
