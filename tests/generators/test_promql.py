"""The checker that other tests lean on does find what is wrong."""

import pytest

from tests.generators import promql


@pytest.mark.parametrize(
    "expr",
    [
        "rate(inference_request_total[5m])",
        'rate(inference_requests_total{status="200"}[5m])',
        'rate(inference_requests_total{outcome="fine"}[5m])',
        'rate(inference_requests_total{outcome=~"ok|fine"}[5m])',
        "sum by (feature) (rate(inference_requests_total[5m]))",
        "sum without (feature) (rate(inference_requests_total[5m]))",
        "rate(inference_drift_active[5m])",
        "sum(inference_requests_total)",
        "rate(inference_request_duration_seconds[5m])",
        "up / on (model) up",
        "slo:sli_error:ratio_rate7m",
    ],
)
def test_a_name_or_use_that_the_catalogue_does_not_know_is_a_problem(expr):
    assert promql.problems(expr)


@pytest.mark.parametrize(
    "expr",
    [
        'sum by (job, code) (rate(inference_requests_total{outcome=~"ok|truncated"}[$__rate_interval]))',
        "histogram_quantile(0.9, sum by (le) (rate(inference_request_duration_seconds_bucket[5m])))",
        'max by (name) (inference_drift_score{method="psi"}) > 0.2',
        'slo:sli_error:ratio_rate1h{slo="latency"} > 14.4 * slo:error_budget:ratio',
    ],
)
def test_an_expression_of_known_series_has_no_problem(expr):
    assert promql.problems(expr) == []
