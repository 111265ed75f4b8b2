"""A registry in the middle of an incident, for tests of the status page and for looking at it."""

import random

from sidecar import catalog
from sidecar.registry import Registry


def healthy(registry: Registry, requests: int = 1_000) -> None:
    """Five minutes of a model that does well."""
    spread = random.Random(7)
    registry.counter(catalog.REQUESTS).add(requests, "churn", "3", "v2", "predict", "200", "ok")
    for _ in range(requests):
        duration = spread.lognormvariate(-4.6, 0.6)
        registry.histogram(catalog.REQUEST_DURATION).observe(duration, "churn", "3", "v2", "ok")
    registry.counter(catalog.ROWS).add(2 * requests, "churn", "3")
    registry.counter(catalog.ROWS_COMPLETE).add(2 * requests, "churn", "3")
    for feature in ("age", "balance", "country", "tenure_months", "products"):
        registry.counter(catalog.FEATURE_VALUES).add(2 * requests, "churn", "3", feature, "valid")
    for slo in ("availability", "feature_availability"):
        registry.gauge(catalog.SLO_OBJECTIVE).set(0.999, "churn", "3", slo)
        registry.counter(catalog.SLO_EVENTS).add(requests, "churn", "3", slo, "good")
    registry.gauge(catalog.REFERENCE_INFO).set(1, "churn", "3", "ab12cd34", "given")
    registry.gauge(catalog.CONNECTIONS).set(16, "observed", "http1")
    registry.gauge(catalog.CONNECTIONS).set(0, "blind", "http2")
    for process, cpu, memory in (("supervisor", 0.1, 18), ("relay", 9.0, 31), ("observer", 31.0, 142)):
        registry.counter(catalog.CPU_SECONDS).add(cpu, process)
        registry.gauge(catalog.MEMORY_BYTES).set(memory * 2**20, process)
    registry.gauge(catalog.OBSERVER_LAG).set(0.004)
    registry.histogram(catalog.RELAY_LOOP_LAG).observe(0.0002)
    registry.counter(catalog.OTHER_EXCHANGES).add(42, "probe")


def broken(registry: Registry) -> None:
    """An upstream feature is null, another drifts, the model server fails, some of it was not seen."""
    requests = registry.counter(catalog.REQUESTS)
    requests.add(60, "churn", "3", "v2", "predict", "503", "server_error")
    requests.add(12, "churn", "3", "v2", "predict", "400", "client_error")
    requests.add(3, "fraud", "", "v1", "predict", "200", "ok")
    values = registry.counter(catalog.FEATURE_VALUES)
    values.add(700, "churn", "3", "balance", "null")
    values.add(20, "churn", "3", "age", "out_of_range")
    values.add(4, "churn", "3", "country", "unseen_category")
    registry.counter(catalog.ROWS).add(700, "churn", "3")
    registry.counter(catalog.SLO_EVENTS).add(60, "churn", "3", "availability", "bad")
    registry.counter(catalog.SLO_EVENTS).add(700, "churn", "3", "feature_availability", "bad")
    registry.gauge(catalog.DRIFT_SCORE).set(0.41, "churn", "3", "feature", "age", "psi")
    registry.gauge(catalog.DRIFT_ACTIVE).set(1, "churn", "3", "feature", "age", "ticket")
    registry.gauge(catalog.DRIFT_ACTIVE).set(0, "churn", "3", "feature", "tenure_months", "page")
    registry.gauge(catalog.DRIFT_SCORE).set(0.03, "churn", "3", "feature", "tenure_months", "psi")
    registry.counter(catalog.UNDECODED).add(7, "not_json", "v2")
    registry.counter(catalog.CHUNKS_DROPPED).add(3, "observer_behind")
    registry.counter(catalog.UPSTREAM_CONNECT_FAILURES).add(2, "refused")
    registry.gauge(catalog.CONNECTIONS).set(1, "blind", "http2")
