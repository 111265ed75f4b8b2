"""The JSON patch (RFC 6902) that carries a plan out; policy.yaml in the chart writes the same one in CEL.

It adds, and replaces two kinds of numbers: the swapped port, and that port in probes that can restart the
model. The trap: `add` to a list or mapping that is not there fails, so that an empty one is added before.
"""

from collections.abc import Iterator
from typing import Any

from sidecar.admission.injection import Injection, filled
from sidecar.admission.interception import Interception
from sidecar.admission.planning import PREFIX, Plan, annotations

Object = dict[str, Any]

# Probes that can restart the model stay with the model; readiness goes the way of the traffic.
_PINNED = tuple(
    (probe, action) for probe in ("livenessProbe", "startupProbe") for action in ("httpGet", "tcpSocket")
)
CONFIG_FILE = "/etc/inference-sidecar/sidecar.yaml"
# Optional in the chart's template, so that it need not be there.
DEFAULT_CONFIG_MAP = "inference-sidecar"


def patch(pod: Object, plan: Plan, injection: Injection) -> list[Object]:
    """The operations, in order."""
    operations = [status(pod, plan.status)]
    if plan.how is None:
        return operations
    operations.append(_add(f"/metadata/labels/{_escaped(PREFIX)}injected", "true"))
    operations += _model_container(pod, plan, injection)
    operations += _additions(pod, plan, injection)
    return operations


def status(pod: Object, text: str) -> Object:
    """Says what was done, or why nothing was."""
    if pod["metadata"].get("annotations") is None:
        return _add("/metadata/annotations", {f"{PREFIX}status": text})
    return _add(f"/metadata/annotations/{_escaped(PREFIX)}status", text)


def _model_container(pod: Object, plan: Plan, injection: Injection) -> Iterator[Object]:
    """The model's own container: its port, its probes, its hook."""
    place, model = f"/spec/containers/{plan.container}", pod["spec"]["containers"][plan.container]
    if plan.how is Interception.PORT_SWAP:
        yield _replace(f"{place}/ports/{plan.port}/containerPort", injection.inference_port)
        for probe, action in _PINNED:
            asked = (model.get(probe) or {}).get(action)
            if asked and asked.get("port") == plan.target:
                yield _replace(f"{place}/{probe}/{action}/port", int(plan.model_port))
    if injection.sleep_seconds:
        hook = {"sleep": {"seconds": injection.sleep_seconds}}
        if not model.get("lifecycle"):
            yield _add(f"{place}/lifecycle", {"preStop": hook})
        elif not model["lifecycle"].get("preStop"):
            yield _add(f"{place}/lifecycle/preStop", hook)


def _additions(pod: Object, plan: Plan, injection: Injection) -> Iterator[Object]:
    """Our containers and volumes, after those that are there."""
    names = _names(pod, plan)
    redirected = plan.how is Interception.REDIRECT
    for kind in ("volumes", "initContainers"):
        if pod["spec"].get(kind) is None:
            yield _add(f"/spec/{kind}", [])
    if redirected:
        yield _add("/spec/initContainers/-", filled(injection.redirect_container, names))
    for volume in injection.volumes:
        yield _add("/spec/volumes/-", filled(volume, names))
    kind = "initContainers" if injection.native else "containers"
    for container in injection.containers:
        yield _add(f"/spec/{kind}/-", filled(container, names))


def _names(pod: Object, plan: Plan) -> dict[str, str]:
    """What differs from pod to pod in the description."""
    config = annotations(pod).get("config")
    redirected = plan.how is Interception.REDIRECT
    return {
        "%upstream%": "" if redirected else f"127.0.0.1:{plan.model_port}",
        "%redirect%": "true" if redirected else "",
        "%configFile%": CONFIG_FILE if config is not None else "",
        "%configMap%": config if config is not None else DEFAULT_CONFIG_MAP,
        "%modelPort%": plan.model_port,
    }


def _add(path: str, value: Any) -> Object:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> Object:
    return {"op": "replace", "path": path, "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
