"""The named templates, as those use them who inject nothing: in a chart that depends on this one."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.helm.rendering import CHART, tool
from tests.helm.schemas import VERSIONS, exists

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: churn}
spec:
  selector: {matchLabels: {app: churn}}
  template:
    metadata: {labels: {app: churn, inference-sidecar.io/injected: "true"}}
    spec:
      {{- $sidecar := index .Subcharts "inference-sidecar" }}
      {{- $config := "/etc/inference-sidecar/sidecar.yaml" }}
      {{- $places := dict "context" $sidecar "upstream" "127.0.0.1:8000" "config" $config }}
      initContainers:
        {{- include "inference-sidecar.containers" $places | nindent 8 }}
      containers:
        - name: model
          image: registry.example.org/churn:3
          ports: [{name: http, containerPort: 18080}]
      volumes:
        {{- $volumes := dict "context" $sidecar "configMap" "churn-sidecar" }}
        {{- include "inference-sidecar.volumes" $volumes | nindent 8 }}
"""
REDIRECTED = """
apiVersion: v1
kind: Pod
metadata: {name: churn}
spec:
  {{- $sidecar := index .Subcharts "inference-sidecar" }}
  initContainers:
    - {{- include "inference-sidecar.redirectContainer" (dict "context" $sidecar "port" "8000") | nindent 6 }}
  containers:
    - {name: model, image: "registry.example.org/churn:3"}
    - {{- include "inference-sidecar.container" (dict "context" $sidecar "redirect" "true") | nindent 6 }}
  volumes:
    {{- include "inference-sidecar.volumes" (dict "context" $sidecar) | nindent 4 }}
"""


def rendered(directory: Path, template: str, sidecar: dict) -> dict:
    parent = directory / "churn"
    (parent / "templates").mkdir(parents=True)
    dependency = {"name": "inference-sidecar", "version": "0.1.0", "repository": ""}
    chart = {"apiVersion": "v2", "name": "churn", "version": "1.0.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (parent / "templates" / "model.yaml").write_text(template)
    shutil.copytree(CHART, parent / "charts" / "inference-sidecar")
    values = {"inference-sidecar": {"injection": {"mode": "none"}, "sidecar": sidecar}}
    with tool("helm_python").Chart.load(str(parent)) as chart:
        found = chart.render(values, name="churn", namespace="models")
    return yaml.safe_load(found["churn/templates/model.yaml"])


@pytest.mark.parametrize("split", [False, True])
def test_a_chart_of_ones_own_gets_the_same_containers(tmp_path, split):
    deployment = rendered(tmp_path, DEPLOYMENT, {"split": split})
    assert all(exists(deployment, version) for version in VERSIONS)
    containers = deployment["spec"]["template"]["spec"]["initContainers"]
    assert [c["args"] for c in containers] == ([["relay"], ["observe"]] if split else [["run"]])
    variables = {item["name"]: item.get("value") for item in containers[0]["env"]}
    assert variables["SIDECAR_UPSTREAM"] == "127.0.0.1:8000"
    assert variables["SIDECAR_CONFIG"] == "/etc/inference-sidecar/sidecar.yaml"


def test_a_pod_of_ones_own_can_redirect(tmp_path):
    pod = rendered(tmp_path, REDIRECTED, {"native": False})
    assert all(exists(pod, version) for version in VERSIONS)
    assert pod["spec"]["initContainers"][0]["args"] == ["redirect", "--port", "8000", "--to", "18080"]
    variables = {item["name"]: item.get("value") for item in pod["spec"]["containers"][1]["env"]}
    assert variables["SIDECAR_REDIRECT"] == "true"
    assert variables["SIDECAR_UPSTREAM"] == ""
