"""Whether objects are what their kinds demand: Kubernetes' schemas, and those of others' resources.

Strictly: a field that does not exist is an error, as it would be a setting that silently does nothing.
"""

from functools import cache
from typing import Any

from tests.helm.rendering import Object, tool

VERSIONS = tuple(f"1.{minor}" for minor in range(29, 38))

# Kinds of others, and the package with models made from their definitions.
_MODELS = {
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
    "cert-manager.io/v1": "cloudcoil.models.cert_manager.v1",
}
# No package has the Grafana Operator's: these are the fields of its reference for v5 that we use, by hand.
GRAFANA_DASHBOARD = {"allowCrossNamespaceImport": bool, "folder": str, "instanceSelector": dict, "json": str}


def exists(item: Object, version: str) -> bool:
    """Whether Kubernetes of this version has the kind. Raises when the object does not fit it."""
    kubernetes = _kubernetes()
    try:
        kubernetes.validate(item, version, strict=True)
    except kubernetes.SchemaNotFoundError:
        return False
    return True


def check_custom(item: Object) -> None:
    """Assert that a custom resource fits its definition, and says nothing unknown to it."""
    if item["kind"] == "GrafanaDashboard":
        assert item["apiVersion"] == "grafana.integreatly.org/v1beta1"
        assert {key: type(value) for key, value in item["spec"].items()}.items() <= GRAFANA_DASHBOARD.items()
        assert {"instanceSelector", "json"} <= item["spec"].keys()
        return
    model = getattr(tool(_MODELS[item["apiVersion"]]), item["kind"])
    # What a model does not know it drops: so what it gives back must be what it was given.
    read = model.model_validate(item).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert _without_nothing(read) == _without_nothing(item)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


@cache
def _kubernetes() -> Any:
    """Reading a version's definitions takes longer than checking: they are kept."""
    found = tool("kubernetes_validate")
    found.utils.schema_contents = cache(found.utils.schema_contents)
    return found
