"""The chart as Helm's own library renders it, without a cluster.

The SDK renders for Kubernetes 1.36 only; `lint` takes the version.
"""

import importlib
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "inference-sidecar"
CI_VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
NAMESPACE = "inference-sidecar"

Object = dict[str, Any]
# Rules and dashboards are thousands of lines; PyYAML built with libyaml reads them ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def tool(name: str) -> ModuleType:
    """A tool of the extra `dev`; missing it skips a test, except where CI=true."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{name} is not installed: make install")


def values(name: str) -> Object:
    """What `ci/<name>-values.yaml` says."""
    found: Object = yaml.safe_load(CI_VALUES[name].read_text())
    return found


@cache
def _manifests(text: str) -> dict[str, str]:
    helm = tool("helm_python")
    with helm.Chart.load(str(CHART)) as chart:
        found = chart.render(yaml.safe_load(text), name="inference-sidecar", namespace=NAMESPACE)
    return {name.partition("/")[2]: str(text) for name, text in found.items()}


def manifests(values: Object) -> dict[str, str]:
    """Template → what it renders to. Raises what Helm raises."""
    return _manifests(yaml.safe_dump(values))


def objects(values: Object, template: str = "") -> list[Object]:
    """Every object of the chart, or of one template."""
    rendered = manifests(values).items()
    texts = [text for name, text in rendered if name.endswith(".yaml") and name.startswith(template)]
    return [found for text in texts for found in yaml.load_all(text, Loader=_Loader) if found]


def only(values: Object, kind: str) -> Object:
    """The one object of this kind."""
    (found,) = [item for item in objects(values) if item["kind"] == kind]
    return found
