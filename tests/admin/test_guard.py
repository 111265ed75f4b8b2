import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.admin.guard import private_host, same_origin


@pytest.mark.parametrize(
    "host",
    [
        "", "10.1.2.3", "10.1.2.3:19464", "[::1]:19464", "[fd00::1]", "localhost", "LOCALHOST:1",
        "churn-7f9c", "sidecar:19464", "sidecar.shop.svc", "sidecar.shop.svc.cluster.local:19464",
        "node.internal", "box.local.",
    ],
)  # fmt: skip
def test_addresses_and_names_that_nobody_can_buy_are_ours(host):
    assert private_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "evil.com:19464", "127.0.0.1.evil.com", "localhost.evil.com", "svc.evil.com",
        "evilsvc.com", "user@127.0.0.1", "127.0.0.1/evil.com", "evil.com#.local", "[::1",
        "a:b:c", "127.0.0.1:99999999",
    ],
)  # fmt: skip
def test_a_name_that_somebody_can_point_at_us_is_not_ours(host):
    assert not private_host(host)


def test_a_name_the_operator_gave_is_ours():
    assert private_host("metrics.example.com:443", {"metrics.example.com"})


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:1", "127.0.0.1:1", True),
        ("https://box:1", "BOX:1", True),
        ("http://evil.com", "127.0.0.1:1", False),
        ("null", "127.0.0.1:1", False),
        ("", "", True),
        ("http://[", "[", False),
    ],
)
def test_only_the_same_origin_may_ask(origin, host, same):
    assert same_origin(origin, host) is same


@settings(max_examples=80)
@given(st.text(max_size=30), st.text(max_size=30))
@example("http://[::1", "[::1")
@example("http://℀", "℀")
def test_no_header_is_a_problem(origin, host):
    assert private_host(host) in (True, False)
    assert same_origin(origin, host) in (True, False)
