import pytest

from sidecar import catalog, decoders
from sidecar.decoders import paths


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("GET", "/healthz", "probe"),
        ("GET", "/v2/health/ready", "probe"),
        ("GET", "/v2/models/m/ready", "probe"),
        ("GET", "/ping?x=1", "probe"),
        ("HEAD", "/health/", "probe"),
        ("POST", "/grpc.health.v1.Health/Check", "probe"),
        ("POST", "/inference.GRPCInferenceService/ModelReady", "probe"),
        ("GET", "/metrics", "metrics"),
        ("GET", "/monitoring/prometheus/metrics", "metrics"),
        ("GET", "/v2", "metadata"),
        ("GET", "/v2/models/m/versions/1", "metadata"),
        ("GET", "/v2/models/m/config", "metadata"),
        ("GET", "/v1/models/m/versions/1/metadata", "metadata"),
        ("GET", "/v1/models", "metadata"),
        ("GET", "/openapi.json", "metadata"),
        ("GET", "/docs", "metadata"),
        ("POST", "/v2/repository/index", "admin"),
        ("POST", "/v2/repository/models/m/load", "admin"),
        ("POST", "/login", "admin"),
        ("POST", "/predict/feedback", "admin"),
        ("OPTIONS", "/predict", "cors"),
        ("OPTIONS", "/healthz", "cors"),
        ("GET", "/", "other"),
        ("GET", "/predict", "other"),
        ("GET", "/favicon.png", "other"),
        ("CONNECT", "host:443", "other"),
        ("GET", "*", "other"),
        ("", "", "other"),
    ],
)
def test_what_is_not_inference_has_a_kind(method, target, kind):
    assert decoders.other_kind(method, target) == kind
    assert kind in catalog.OTHER_KINDS


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a?b=/v2/models/m/infer", "/a"),
        ("http://host:80/a/b?c", "/a/b"),
        ("http://host", "/"),
        ("/a%3Ab%20c", "/a:b c"),
        ("/a%2Fb%2fc", "/a%2Fb%2Fc"),
        ("/a%zz%ff", "/a%zz\ufffd"),
        ("/x://y", "/x://y"),
    ],
)
def test_a_target_is_reduced_to_its_path(target, path):
    assert paths.normal(target) == path
