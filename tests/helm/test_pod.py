"""A pod as the policy makes it lives, serves and ends without a failed request, in real processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helm.admission import Policy
from tests.helm.pods import Object, pod, port, server
from tests.helm.rendering import ROOT

# As long as nobody is left to wait for.
SHORT = [{"name": "SIDECAR_DRAIN__GRACE", "value": "200ms"}]
WAYS: dict[str, tuple[Object, Object]] = {
    "port swap": ({"sidecar": {"env": SHORT}}, pod()),
    "port swap, two containers": ({"sidecar": {"env": SHORT, "split": True}}, pod()),
    "redirect": (
        {"sidecar": {"env": SHORT}, "injection": {"redirect": {"enabled": True}}},
        pod(server(port(name=None))),
    ),
}


def lived(admitted: Object, directory: Path) -> Object:
    missing = [tool for tool in ("unshare", "ip", "iptables") if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs root and {missing}")
        pytest.skip(f"needs root and {missing}")
    file = directory / "pod.json"
    file.write_text(json.dumps(admitted))
    done = subprocess.run(
        [
            *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(sys.executable, "-m", "tests.helm.kubelet", str(file)),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found: Object = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.e2e
@pytest.mark.parametrize("way", WAYS)
def test_an_injected_pod_serves_from_its_first_to_its_last_request(way: str, tmp_path: Path) -> None:
    values, asked = WAYS[way]
    asked["metadata"]["labels"]["app.kubernetes.io/version"] = "3"
    asked["metadata"]["namespace"] = "models"
    life = lived(Policy(values).admit(asked), tmp_path)
    assert life["failed"] == []
    assert life["answered"] > 20
    # The sidecars leave in order; the model server's own end is its own affair.
    assert set(life["codes"]) == {0}
    (line,) = [line for line in life["metrics"] if 'outcome="ok"' in line]
    assert 'model_name="churn"' in line
    assert 'model_version="3"' in line
