"""Reading an AdmissionReview and writing its answer: admission.k8s.io/v1, JSON, no I/O.

Nothing here may keep a pod from starting: whatever is wrong with a pod, the answer is "allowed", without a
change, with a warning. Only what has no `uid` cannot be answered, since the API server would not know what
was meant. The trap: a pod holds secrets in its variables, so nothing of it may get into a message.
"""

import base64
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson

from sidecar.admission.injection import Injection
from sidecar.admission.patch import patch, status
from sidecar.admission.planning import PREFIX, plan
from sidecar.admission.services import target_ports
from sidecar.errors import SidecarError

Object = dict[str, Any]
log = logging.getLogger(__name__)

UNREADABLE = "refused: the pod could not be read, so that nothing was changed"
# Values in one body, by the signs between them. The largest pods have some thousands; what is read takes 180
# bytes for each, so that bodies of nothing else cannot take the webhook's memory.
MAX_VALUES = 50_000
# What kubectl shows of one warning; the API server cuts longer ones.
_MAX_WARNING = 256
_OURS = "inference-sidecar"


class NoReview(SidecarError):
    """Not an AdmissionReview that could be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `pod` is None where no pod is being created."""

    uid: str
    namespace: str = ""
    dry_run: bool = False
    pod: Object | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of it. `status` is empty where the pod is none of our business."""

    patch: list[Object] = field(default_factory=list)
    status: str = ""
    warnings: list[str] = field(default_factory=list)


def read(body: bytes) -> Request:
    """The request in `body`. Raises NoReview when it is none, has no uid, or is beyond reason."""
    if sum(map(body.count, (b",", b"{", b"["))) > MAX_VALUES:
        raise NoReview("the body holds more values than any pod does")
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NoReview("the body is no JSON") from None
    request = _object(_object(review).get("request"))
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise NoReview("the body is no AdmissionReview with a request and its uid")
    creates_pod = (
        request.get("operation") == "CREATE"
        and not request.get("subResource")
        and _is(request.get("resource"), "pods")
    )
    return Request(
        uid,
        str(request.get("namespace") or ""),
        request.get("dryRun") is True,
        _object(request.get("object")) if creates_pod else None,
    )


def _is(resource: Any, name: str) -> bool:
    return isinstance(resource, dict) and not resource.get("group") and resource.get("resource") == name


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def asks(request: Request, injection: Injection) -> bool:
    """Whether the pod asks for a sidecar and has none: the selectors of the chart, once more.

    The API server asks only for such pods; this is for the day its selectors are edited.
    """
    if request.pod is None or request.namespace in injection.excluded_namespaces:
        return False
    labels = _object(_object(request.pod.get("metadata")).get("labels"))
    if labels.get(f"{PREFIX}inject") != "true" or f"{PREFIX}injected" in labels:
        return False
    return not _has_one(_object(request.pod.get("spec")))


def _has_one(spec: Object) -> bool:
    return any(
        str(_object(one).get("name", "")).startswith(_OURS)
        for kind in ("containers", "initContainers")
        for one in _list(spec.get(kind))
    )


def admit(request: Request, injection: Injection, services: list[Object] | None = None) -> Answer:
    """The answer. `services`: those of the pod's namespace, or None where they could not be listed."""
    pod = request.pod
    try:
        if pod is None or not asks(request, injection):
            return Answer()
        found = plan(pod, injection, target_ports(services or [], pod["metadata"]["labels"]))
        return Answer(patch(pod, found, injection), found.status, found.warnings)
    except Exception:  # a pod that we cannot read must start all the same
        log.exception("a pod could not be read")
        return _unreadable(pod)


def _unreadable(pod: Object | None) -> Answer:
    metadata = _object((pod or {}).get("metadata"))
    notes = metadata.get("annotations")
    if pod is None or not metadata or not (notes is None or isinstance(notes, dict)):
        return Answer(status=UNREADABLE, warnings=[UNREADABLE])
    return Answer([status(pod, UNREADABLE)], UNREADABLE, [UNREADABLE])


def write(request: Request, answer: Answer) -> bytes:
    """The AdmissionReview that answers `request`. Always allowed."""
    response: Object = {"uid": request.uid, "allowed": True}
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(answer.patch)).decode()
    if answer.warnings:
        response["warnings"] = [f"{_OURS}: {text}"[:_MAX_WARNING] for text in answer.warnings]
    return orjson.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )
