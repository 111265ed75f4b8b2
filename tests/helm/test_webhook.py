"""The webhook makes of every pod what the policy makes of it: chart and program are one thing."""

import copy
from functools import cache

import pytest

from sidecar.admission.injection import Injection
from tests.admission.reviews import answered, applied, body, injection, patch
from tests.helm.admission import Policy, selects
from tests.helm.pods import HTTP, NAMED, NUMERIC, REFUSED, pod, port, server
from tests.helm.rendering import NAMESPACE, Object, only, values
from tests.helm.schemas import VERSIONS, exists

MANY = {
    "interception redirect": pod(annotations={"interception": "redirect"}),
    "empty annotation": pod(annotations={"target-port": ""}),
    "no such port number": pod(annotations={"target-port": "70000"}),
    "zero": pod(annotations={"target-port": "0"}),
    "a leading zero": pod(annotations={"target-port": "08000"}),
    "the sidecar's own port": pod(annotations={"target-port": "18080"}),
    "an admin port": pod(server(port(19464, "http"))),
    "host network, and a number": pod(annotations={"target-port": "8000"}, hostNetwork=True),
    "host network, said to be off": pod(hostNetwork=False),
    "an empty config": pod(annotations={"config": ""}),
    "grpc probe": pod(server(livenessProbe={"grpc": {"port": 8000}})),
    "tcp probe by name": pod(server(livenessProbe={"tcpSocket": {"port": "http"}})),
    "a probe of another port": pod(
        server(port(), port(9090, "metrics"), livenessProbe={"httpGet": {"port": "metrics"}})
    ),
    "two of a name in two protocols": pod(server(port(8000, "http", "UDP"), port(8001, "web"))),
    "other containers with probes": pod(
        server(), {"name": "web", "image": "nginx", "ports": [port(80, "web")], "livenessProbe": HTTP}
    ),
    "a status of before": pod(annotations={"status": "injected: long ago"}),
}
EVERY_POD = {**NAMED, **NUMERIC, **REFUSED, **MANY}
# Values files, and what is changed in `injection`.
WAYS: dict[str, tuple[str, Object]] = {
    "policy": ("policy", {}),
    "everything": ("policy-everything", {}),
    "plain": ("policy-plain", {}),
    "redirect allowed": ("policy", {"redirect": {"enabled": True}}),
    "redirect always": ("policy", {"redirect": {"enabled": True}, "interception": "redirect"}),
    "sleep": ("policy", {"preStopSleepSeconds": 10}),
}


@cache
def policy(way: str) -> Policy:
    name, changed = WAYS[way]
    given = copy.deepcopy(values(name))
    given["injection"].update(changed)
    return Policy(given)


@cache
def described(way: str) -> Injection:
    name, changed = WAYS[way]
    return injection(name, **changed)


def by_webhook(way: str, asked: Object) -> Object:
    return applied(asked, answered(body(asked), described(way)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sample", EVERY_POD)
def test_webhook_and_policy_make_the_same_pod(way: str, sample: str) -> None:
    assert by_webhook(way, EVERY_POD[sample]) == policy(way).admit(EVERY_POD[sample])


@pytest.mark.parametrize("way", WAYS)
def test_every_pod_is_valid_in_every_version(way: str) -> None:
    for sample, asked in EVERY_POD.items():
        admitted = by_webhook(way, asked)
        for version in VERSIONS:
            # The hook is not there before 1.30, where the chart leaves it out.
            if way != "sleep" or version != "1.29":
                assert exists(admitted, version), sample


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sample", EVERY_POD)
def test_a_second_admission_changes_nothing(way: str, sample: str) -> None:
    once = by_webhook(way, EVERY_POD[sample])
    again = answered(body(once), described(way))
    assert applied(once, again) == once
    if "inference-sidecar.io/injected" in once["metadata"]["labels"]:
        assert patch(again) == []


@pytest.mark.parametrize("namespace", ["models", "kube-system", "kube-public", "cert-manager", NAMESPACE])
def test_the_webhook_itself_leaves_out_what_the_selectors_leave_out(namespace: str) -> None:
    (hook,) = only({"injection": {"mode": "webhook"}}, "MutatingWebhookConfiguration")["webhooks"]
    asked_for = selects(hook["namespaceSelector"], {"kubernetes.io/metadata.name": namespace})
    default = injection("webhook-secret", excludedNamespaces=["kube-system", "kube-public", "cert-manager"])
    assert bool(patch(answered(body(pod(), namespace=namespace), default))) is asked_for
