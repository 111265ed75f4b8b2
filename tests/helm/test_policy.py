"""What the MutatingAdmissionPolicy makes of pods, evaluated by CEL's own library."""

import copy

import pytest

from sidecar.admission.interception import REFUSALS, Interception, Mode, TargetPort, Verdict, decide
from tests.helm.admission import Policy, mixed_literals
from tests.helm.pods import HTTP, NAMED, NUMERIC, REFUSED, pod, port, server
from tests.helm.rendering import NAMESPACE, Object, values
from tests.helm.schemas import exists

STATUS = "inference-sidecar.io/status"
POLICIES = ("policy", "policy-everything", "policy-plain")
EVERY_POD = {**NAMED, **NUMERIC, **REFUSED}


def policy(name: str = "policy", **injection: object) -> Policy:
    given = copy.deepcopy(values(name))
    given["injection"].update(injection)
    return Policy(given)


def status(admitted: Object) -> str:
    return str(admitted["metadata"]["annotations"][STATUS])


def sidecars(admitted: Object) -> list[Object]:
    both = [*admitted["spec"].get("initContainers", []), *admitted["spec"]["containers"]]
    return [container for container in both if container["name"].startswith("inference-sidecar")]


def theirs(items: list[Object]) -> list[Object]:
    """Volumes or containers that are not ours."""
    return [item for item in items if not item["name"].startswith("inference-sidecar")]


def variable(container: Object, name: str) -> str:
    (found,) = [item["value"] for item in container["env"] if item["name"] == name]
    return str(found)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("sample", EVERY_POD)
def test_every_pod_stays_valid(name: str, sample: str) -> None:
    admitted = policy(name).admit(EVERY_POD[sample])
    for version in ("1.36", "1.37"):
        assert exists(admitted, version)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("sample", EVERY_POD)
def test_what_was_admitted_once_is_admitted_unchanged(name: str, sample: str) -> None:
    once = policy(name).admit(EVERY_POD[sample])
    assert policy(name).admit(once) == once


@pytest.mark.parametrize("sample", NAMED)
def test_a_named_port_leads_to_the_sidecar_and_the_sidecar_to_the_model(sample: str) -> None:
    admitted = policy().admit(NAMED[sample])
    (model,) = [c for c in admitted["spec"]["containers"] if c["name"] == "model"]
    assert [p["containerPort"] for p in model["ports"] if p.get("name") == "http"] == [18080]
    (sidecar,) = sidecars(admitted)
    assert variable(sidecar, "SIDECAR_UPSTREAM") == "127.0.0.1:8000"
    assert variable(sidecar, "SIDECAR_REDIRECT") == ""
    assert status(admitted).startswith("injected: port-swap, port http leads to the sidecar")
    assert admitted["metadata"]["labels"]["inference-sidecar.io/injected"] == "true"


@pytest.mark.parametrize("sample", NAMED)
def test_everything_else_in_the_pod_stays_as_it_was(sample: str) -> None:
    admitted = policy().admit(NAMED[sample])
    for container in admitted["spec"]["containers"]:
        for declared in container.get("ports", []):
            if declared["containerPort"] == 18080:
                declared["containerPort"] = 8000
        for probe in ("livenessProbe", "startupProbe"):
            if "httpGet" in container.get(probe, {}):
                container[probe]["httpGet"]["port"] = "http"
    assert theirs(admitted["spec"].pop("volumes")) == NAMED[sample]["spec"].get("volumes", [])
    assert theirs(admitted["spec"].pop("initContainers")) == NAMED[sample]["spec"].get("initContainers", [])
    assert admitted["spec"].items() <= NAMED[sample]["spec"].items()
    assert NAMED[sample]["metadata"]["labels"].items() <= admitted["metadata"]["labels"].items()


@pytest.mark.parametrize("sample", NUMERIC)
def test_a_number_falls_back_to_redirect_where_that_is_allowed(sample: str) -> None:
    admitted = policy(redirect={"enabled": True}).admit(NUMERIC[sample])
    redirect, sidecar = sidecars(admitted)
    number = "9000" if "declared" in sample else "8000"
    assert redirect["args"] == ["redirect", "--port", number, "--to", "18080"]
    assert variable(sidecar, "SIDECAR_REDIRECT") == "true"
    assert variable(sidecar, "SIDECAR_UPSTREAM") == ""
    assert (
        status(admitted)
        == f"injected: redirect of port {number}, since a port swap cannot take over a number"
    )
    assert admitted["spec"]["containers"] == NUMERIC[sample]["spec"]["containers"]


@pytest.mark.parametrize("sample", NUMERIC)
def test_a_number_is_refused_where_redirect_is_not_allowed(sample: str) -> None:
    admitted = policy().admit(NUMERIC[sample])
    assert status(admitted) == f"refused: {REFUSALS['number_needs_redirect']}"
    assert admitted["spec"] == NUMERIC[sample]["spec"]


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_done_is_said_and_nothing_is_touched(reason: str) -> None:
    admitted = policy("policy-everything").admit(REFUSED[reason])
    assert status(admitted) == f"refused: {REFUSALS[reason]}"
    assert admitted["spec"] == REFUSED[reason]["spec"]
    assert "inference-sidecar.io/injected" not in admitted["metadata"]["labels"]


def test_ports_beyond_the_last_one_are_no_ports() -> None:
    admitted = policy(redirect={"enabled": True}).admit(pod(annotations={"target-port": "70000"}))
    assert status(admitted) == f"refused: {REFUSALS['no_such_port']}"


def test_probes_that_can_restart_the_model_ask_the_model_and_readiness_asks_through_the_sidecar() -> None:
    (model,) = policy().admit(NAMED["probes by name"])["spec"]["containers"]
    assert model["livenessProbe"]["httpGet"] == {"path": "/health", "port": 8000}
    assert model["startupProbe"]["httpGet"] == {"path": "/health", "port": 8000}
    assert model["readinessProbe"] == HTTP


def test_probes_of_other_containers_are_their_own() -> None:
    other = {"name": "web", "image": "nginx", "ports": [port(80, "http")], "livenessProbe": HTTP}
    admitted = policy().admit(pod(server(), other))
    assert admitted["spec"]["containers"][1] == other


@pytest.mark.parametrize(
    ("sample", "hooks"),
    [
        ("plain", {"preStop": {"sleep": {"seconds": 10}}}),
        (
            "half a lifecycle",
            {"preStop": {"sleep": {"seconds": 10}}, "postStart": {"exec": {"command": ["warm-up"]}}},
        ),
        ("lifecycle", {"preStop": {"exec": {"command": ["sleep", "9"]}}}),
    ],
)
def test_a_sleep_before_stopping_is_added_where_there_is_none(sample: str, hooks: Object) -> None:
    (model,) = policy(preStopSleepSeconds=10).admit(NAMED[sample])["spec"]["containers"]
    assert model["lifecycle"] == hooks


def test_a_configuration_is_read_from_the_config_map_that_the_pod_names() -> None:
    admitted = policy().admit(NAMED["configured"])
    (sidecar,) = sidecars(admitted)
    assert variable(sidecar, "SIDECAR_CONFIG") == "/etc/inference-sidecar/sidecar.yaml"
    (volume,) = [item["configMap"] for item in admitted["spec"]["volumes"] if "configMap" in item]
    assert volume == {"name": "churn-sidecar", "optional": True}


@pytest.mark.parametrize("name", POLICIES)
def test_no_container_of_ours_gets_a_token_of_the_pod(name: str) -> None:
    """Kubernetes mounts it where nothing else is mounted at its path, and in no other case."""
    for container in sidecars(policy(name, interception="redirect", redirect={"enabled": True}).admit(pod())):
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert "/var/run/secrets/kubernetes.io/serviceaccount" in paths


def test_a_native_sidecar_stays_and_a_plain_one_is_an_ordinary_container() -> None:
    native, plain = policy().admit(pod()), policy("policy-plain", interception="port-swap").admit(pod())
    assert native["spec"]["initContainers"][-1]["restartPolicy"] == "Always"
    assert "restartPolicy" not in plain["spec"]["containers"][-1]
    assert [c["name"] for c in plain["spec"]["containers"]] == ["model", "inference-sidecar"]


def test_two_containers_meet_over_a_socket_in_memory() -> None:
    admitted = policy("policy-everything").admit(pod())
    relay, observe = sidecars(admitted)
    assert (relay["args"], observe["args"]) == (["relay"], ["observe"])
    assert {variable(c, "SIDECAR_TEE") for c in (relay, observe)} == {"unix:/run/inference-sidecar/tee.sock"}
    assert all(
        {"name": "inference-sidecar-tee", "mountPath": "/run/inference-sidecar"} in c["volumeMounts"]
        for c in (relay, observe)
    )
    assert all("cpu" not in c["resources"]["limits"] for c in (relay, observe))


@pytest.mark.parametrize(
    "namespace", ["kube-system", "kube-public", "kube-node-lease", "cert-manager", NAMESPACE]
)
def test_pods_of_the_system_and_of_the_release_are_never_touched(namespace: str) -> None:
    assert policy().admit(pod(), namespace) is not None
    assert "annotations" not in policy().admit(pod(), namespace)["metadata"]


def test_a_namespace_can_keep_out_and_a_pod_has_to_ask() -> None:
    closed = {"inference-sidecar.io/injection": "disabled"}
    assert "annotations" not in policy().admit(pod(), labels=closed)["metadata"]
    silent = pod()
    silent["metadata"]["labels"]["inference-sidecar.io/inject"] = "false"
    assert policy().admit(silent) == silent


def test_a_sidecar_that_was_written_by_hand_is_enough() -> None:
    by_hand = pod(server(), {"name": "inference-sidecar", "image": "mine"})
    assert policy().admit(by_hand) == by_hand


@pytest.mark.parametrize("asked", Interception)
@pytest.mark.parametrize("target", TargetPort)
@pytest.mark.parametrize("enabled", [False, True])
def test_the_policy_decides_as_the_table_says(asked: Interception, target: TargetPort, enabled: bool) -> None:
    expected = decide(Mode.POLICY, asked, target, minor=36, redirect_enabled=enabled)
    declared = port(name="http" if target is TargetPort.NAMED else None)
    admitted = policy(redirect={"enabled": enabled}).admit(
        pod(server(declared), annotations={"interception": asked})
    )
    if expected.verdict is Verdict.REFUSES:
        assert status(admitted) == f"refused: {expected.message}"
    else:
        redirected = variable(sidecars(admitted)[-1], "SIDECAR_REDIRECT") == "true"
        assert expected.how is (Interception.REDIRECT if redirected else Interception.PORT_SWAP)


@pytest.mark.parametrize("name", POLICIES)
def test_no_literal_mixes_types_which_kubernetes_would_not_compile(name: str) -> None:
    assert mixed_literals(policy(name).expression) == []


def test_a_mixed_literal_would_be_found() -> None:
    assert mixed_literals('[{"name": dyn("a"), "port": 1}]') == ['"port": 1']
    assert mixed_literals('[dyn("a"), dyn({"a": dyn([1, "a"])})]') == ["1", '"a"']
    assert (
        mixed_literals('x ? [JSONPatch{op: "a, {", value: {"a": dyn(1)}}, JSONPatch{op: "b"}] : [1, 2]') == []
    )
