"""What Services say of the pods that they select."""

import pytest

from sidecar.admission.services import target_ports

LABELS = {"app": "churn", "tier": "model"}


def service(*ports, name="churn", selector=None, **spec):
    selector = {"app": "churn"} if selector is None else selector
    return {"metadata": {"name": name}, "spec": {"selector": selector, "ports": list(ports), **spec}}


@pytest.mark.parametrize(
    ("port", "target"),
    [
        ({"port": 80, "targetPort": "http"}, "http"),
        ({"port": 80, "targetPort": 8000}, 8000),
        ({"port": 8000}, 8000),
        ({"port": 80, "protocol": "TCP", "targetPort": 8000}, 8000),
    ],
)
def test_a_service_gives_a_name_or_a_number_and_without_either_that_of_its_port(port, target):
    assert target_ports([service(port)], LABELS) == [target]


def test_only_services_that_select_the_pod_count():
    http = {"port": 80, "targetPort": "http"}
    others = [
        service(http, selector={"app": "other"}),
        service(http, selector={"app": "churn", "more": "x"}),
        service(http, selector={}),
        service(http, type="ExternalName"),
        service({"port": 53, "protocol": "UDP"}),
    ]
    assert target_ports(others, LABELS) == []


def test_each_target_is_given_once_in_the_order_of_the_services_names():
    found = [
        service({"port": 80, "targetPort": "http"}, name="z"),
        service({"port": 81, "targetPort": 9000}, {"port": 80, "targetPort": "http"}, name="a"),
    ]
    assert target_ports(found, LABELS) == [9000, "http"]


@pytest.mark.parametrize(
    "strange", [None, 1, {}, {"metadata": 1, "spec": {}}, {"metadata": {}, "spec": None}, service(None, 5)]
)
def test_what_is_no_service_is_passed_over(strange):
    assert target_ports([strange, service({"port": 80})], LABELS) == [80]
