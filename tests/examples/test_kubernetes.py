"""The examples for Kubernetes are valid, and do what their comments say when they meet the chart."""

import copy
from pathlib import Path

import pytest
import yaml

from sidecar import cli, commands
from tests.admission.reviews import answered, applied, body, injection
from tests.examples.shapes import check
from tests.helm.rendering import Object
from tests.helm.schemas import VERSIONS, exists

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(
    path for folder in ("kubernetes", "kserve", "rollouts") for path in EXAMPLES.glob(f"{folder}/*")
)
IMAGE = "ghcr.io/inference-sidecar/inference-sidecar:"
STATUS = "inference-sidecar.io/status"


def objects(path: Path) -> list[Object]:
    return [item for item in yaml.safe_load_all(path.read_text()) if item and "kind" in item]


EVERY = [(path, item) for path in FILES for item in objects(path)]
NAMES = [f"{path.name}-{item['kind']}-{item['metadata']['name']}" for path, item in EVERY]


@pytest.mark.parametrize(("path", "item"), EVERY, ids=NAMES)
def test_every_object_is_valid_and_says_nothing_unknown(path: Path, item: Object) -> None:
    if item["kind"] == "Rollout":
        as_deployment = {**item, "apiVersion": "apps/v1", "kind": "Deployment"}
        as_deployment["spec"] = {key: value for key, value in item["spec"].items() if key != "strategy"}
        assert check(item) and exists(as_deployment, VERSIONS[-1])
        return
    # The sleep hook is not there in 1.29; the comments of docs/kubernetes.md say so.
    assert check(item) or all(exists(item, version) for version in VERSIONS if version != "1.29")


def test_a_field_that_does_not_exist_would_be_found() -> None:
    wrong = copy.deepcopy(objects(EXAMPLES / "rollouts" / "argo-analysis-template.yaml")[0])
    wrong["spec"]["metrics"][0]["sucessCondition"] = "true"
    with pytest.raises(Exception, match="sucessCondition"):
        check(wrong)


def pods(item: Object) -> Object:
    """The pod that a Deployment's (or Rollout's) controller creates."""
    template = copy.deepcopy(item["spec"]["template"])
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x-1", "uid": "u", "controller": True}
    template["metadata"] |= {"generateName": f"{item['metadata']['name']}-", "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", **template}


ASKING = [
    (path, item)
    for path, item in EVERY
    if item["kind"] in ("Deployment", "Rollout")
    and item["spec"]["template"]["metadata"]["labels"].get("inference-sidecar.io/inject") == "true"
]


@pytest.mark.parametrize(("path", "item"), ASKING, ids=[path.name for path, _ in ASKING])
def test_what_asks_for_a_sidecar_gets_one_that_its_service_leads_to(path: Path, item: Object) -> None:
    services = [other for other in objects(path) if other["kind"] == "Service"]
    response = answered(body(pods(item)), injection(), services)
    admitted = applied(pods(item), response)
    assert admitted["metadata"]["annotations"][STATUS].startswith("injected: port-swap")
    assert "warnings" not in response
    (service,) = services
    target = service["spec"]["ports"][0]["targetPort"]
    declared = [p for c in admitted["spec"]["containers"] for p in c["ports"] if p["name"] == target]
    assert [p["containerPort"] for p in declared] == [18080]
    # A generated name is filled in before it is stored.
    admitted["metadata"]["name"] = "x"
    assert all(exists(admitted, version) for version in VERSIONS if version != "1.29")


def test_there_is_an_example_for_each_server() -> None:
    assert {path.stem for path, _ in ASKING} == {"deployment", "triton", "vllm", "mlflow", "argo-rollout"}


def kserve_pod(service: Object) -> Object:
    """What KServe makes of a predictor without Knative: labels, annotations, its container, its port."""
    predictor = service["spec"]["predictor"]
    container = {
        "name": "kserve-container",
        "image": "kserve/sklearnserver:v0.15.0",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
    }
    labels = {**predictor["labels"], "app": "isvc.churn-predictor"}
    metadata = {"name": "churn-predictor-1", "labels": labels, "annotations": predictor["annotations"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def test_kserve_gives_a_number_which_takes_redirect() -> None:
    (service,) = objects(EXAMPLES / "kserve" / "injected.yaml")
    asked = kserve_pod(service)
    allowed = applied(asked, answered(body(asked), injection(redirect={"enabled": True})))
    assert allowed["metadata"]["annotations"][STATUS] == "injected: redirect of port 8080"
    refused = applied(asked, answered(body(asked), injection()))
    assert refused["metadata"]["annotations"][STATUS].startswith("refused: redirect was asked for")


def test_kserves_logger_reaches_the_sink_by_its_service() -> None:
    inference, sink, service, policy = objects(EXAMPLES / "kserve" / "logger.yaml")
    logger = inference["spec"]["predictor"]["logger"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert logger == {"mode": "all", "url": f"http://{name}.{namespace}.svc.cluster.local/"}
    labels = sink["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    (container,) = sink["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (variable,) = [one["value"] for one in container["env"] if one["name"] == "SIDECAR_INGEST__CLOUDEVENTS"]
    assert variable == f"0.0.0.0:{ports[service['spec']['ports'][0]['targetPort']]}"
    assert sink["spec"]["replicas"] == 1


CONFIGURATIONS = [
    (f"{path.name}-{item['metadata']['name']}", item["data"]["sidecar.yaml"])
    for path, item in EVERY
    if item["kind"] == "ConfigMap"
]


@pytest.mark.parametrize(("name", "text"), CONFIGURATIONS, ids=[name for name, _ in CONFIGURATIONS])
def test_every_configuration_is_fine(name: str, text: str, tmp_path: Path, capsys, monkeypatch) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text)
    chosen = cli._parser().parse_args(["check", "--config", str(file), "--upstream", "127.0.0.1:8000"])
    assert commands.check(chosen) == 0
    assert "warning" not in capsys.readouterr().err


def test_every_pod_names_a_configuration_that_is_there() -> None:
    for path, item in ASKING:
        name = item["spec"]["template"]["metadata"].get("annotations", {}).get("inference-sidecar.io/config")
        maps = [other["metadata"]["name"] for other in objects(path) if other["kind"] == "ConfigMap"]
        assert maps == ([name] if name else [])


WRITTEN = [
    (path.name, container)
    for path, item in EVERY
    if item["kind"] == "Deployment"
    for kind in ("initContainers", "containers")
    for container in item["spec"]["template"]["spec"].get(kind, [])
    if container["image"].startswith(IMAGE)
]


@pytest.mark.parametrize(("name", "container"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_a_sidecar_that_is_written_out_would_run(name: str, container: Object, monkeypatch, capsys) -> None:
    for variable in container.get("env", []):
        monkeypatch.setenv(variable["name"], variable.get("value", "x"))
    settings = commands._settings(cli._parser().parse_args(container["args"]), upstream=True)
    assert not settings.warnings and not capsys.readouterr().err
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings.admin.port == ports["sidecar-admin"]
    assert ports.get("inference", 18080) == settings.listen.port


def test_images_of_ours_are_of_this_version() -> None:
    from sidecar import __version__

    texts = [path.read_text() for path in EXAMPLES.rglob("*.yaml")]
    found = {line.split(IMAGE)[1].strip() for text in texts for line in text.splitlines() if IMAGE in line}
    assert found == {__version__}
