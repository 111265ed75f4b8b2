"""AdmissionReviews as an API server sends them, and what it makes of the answers."""

import base64
import copy
import json
from typing import Any

from sidecar.admission import injection as described
from sidecar.admission.injection import Injection
from sidecar.admission.review import admit, read, write
from tests.helm.rendering import Object, objects, tool, values

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def body(pod: Any, namespace: str = "models", **changed: Any) -> bytes:
    """The request for the creation of `pod` by a ReplicaSet's controller; None leaves a field out."""
    request = {
        "uid": UID,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "5ef1c2d5-0b0c-4a65-9b7c-4f8a3d2e1c11",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        },
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        **changed,
    }
    request = {key: value for key, value in request.items() if value is not None or key == "oldObject"}
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    ).encode()


def injection(name: str = "policy", **changed: Any) -> Injection:
    """What the chart tells the webhook with `ci/<name>-values.yaml`, some of `injection` changed."""
    given = copy.deepcopy(values(name))
    given["injection"] = {**given.get("injection", {}), **changed, "mode": "webhook"}
    maps = [item for item in objects(given, "templates/webhook.yaml") if item["kind"] == "ConfigMap"]
    return written(maps[0]["data"]["injection.yaml"])


def written(text: str) -> Injection:
    """Through a file, as it is read."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return described.load(file.name)


def answered(sent: bytes, described: Injection, services: list[Object] | None = None) -> Object:
    """The response to a review, without a server between."""
    request = read(sent)
    return response(write(request, admit(request, described, services)))


def response(received: bytes) -> Object:
    """The response in a received AdmissionReview, checked as the API server checks it."""
    review = json.loads(received)
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: Object = review["response"]
    assert found["uid"] == UID
    assert found["allowed"] is True
    assert ("patch" in found) == (found.get("patchType") == "JSONPatch")
    assert all(0 < len(warning) <= 256 for warning in found.get("warnings", []))
    return found


def patch(response: Object) -> list[Object]:
    """The operations of a response."""
    found: list[Object] = json.loads(base64.b64decode(response.get("patch", b"W10="), validate=True))
    return found


def applied(pod: Object, response: Object) -> Object:
    """The pod as it would be stored."""
    found: Object = tool("jsonpatch").apply_patch(json.loads(json.dumps(pod)), patch(response))
    return found
