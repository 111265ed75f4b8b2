"""What an API server would make of a pod with the chart's MutatingAdmissionPolicy, as far as can be told.

The expressions are compiled and evaluated unchanged by CEL's own library in C++. What is ours here, and not
proved: the selectors, that Kubernetes' CEL offers nothing less than standard CEL, and its cost limits.
Kubernetes refuses literals of mixed types, which this library allows: `mixed_literals` looks for them.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from tests.helm.rendering import Object, objects, tool

# Two of the same of these are of one type.
_KINDS = ("dyn(", "JSONPatch{")


class Policy:
    """The policy that a set of values renders to."""

    def __init__(self, values: Object) -> None:
        found = {item["kind"]: item for item in objects(values, "templates/policy.yaml")}
        self.spec = found["MutatingAdmissionPolicy"]["spec"]
        binding = found["MutatingAdmissionPolicyBinding"]["spec"]
        assert binding == {"policyName": found["MutatingAdmissionPolicy"]["metadata"]["name"]}
        (mutation,) = self.spec["mutations"]
        assert mutation["patchType"] == "JSONPatch"
        self.expression: str = mutation["jsonPatch"]["expression"]

    def admit(self, pod: Object, namespace: str = "models", labels: Object | None = None) -> Object:
        """The pod as it would be stored; the same object when the policy does not apply."""
        labels = {"kubernetes.io/metadata.name": namespace, **(labels or {})}
        if not self._applies(pod, labels):
            return pod
        return patched(pod, self.patch(pod))

    def _applies(self, pod: Object, namespace_labels: Object) -> bool:
        constraints = self.spec["matchConstraints"]
        return (
            selects(constraints["namespaceSelector"], namespace_labels)
            and selects(constraints["objectSelector"], pod["metadata"].get("labels", {}))
            and all(_evaluate(c["expression"], pod, {}) for c in self.spec["matchConditions"])
        )

    def variables(self, pod: Object) -> Object:
        """Every variable, in order: each may use those before it, as in Kubernetes."""
        found: Object = {}
        for variable in self.spec["variables"]:
            found[variable["name"]] = _evaluate(variable["expression"], pod, found)
        return found

    def patch(self, pod: Object) -> list[Object]:
        """The JSON patch for this pod."""
        operations = _evaluate(self.expression, pod, self.variables(pod))
        return [_operation(operation) for operation in operations]


def patched(pod: Object, patch: list[Object]) -> Object:
    """The pod after the patch; `pod` itself stays."""
    # Through text: samples share parts of each other, which a patch must not see.
    found: Object = tool("jsonpatch").apply_patch(json.loads(json.dumps(pod)), patch)
    return found


def selects(selector: Object, labels: Object) -> bool:
    """A label selector, as Kubernetes reads it."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def _holds(expression: Object, labels: Object) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "DoesNotExist":
            return value is None
        case "NotIn":
            return value not in expression["values"]
        case operator:
            raise AssertionError(f"no {operator} here")


def mixed_literals(expression: str) -> list[str]:
    """Entries of maps, and items of lists, without dyn(…) among several: their types might differ."""
    found: list[str] = []
    for start, entries in _literals(expression):
        values = [entry.partition('": ')[2] if start == "{" else entry for entry in entries]
        kinds = {
            next((kind for kind in _KINDS if value.startswith(kind)), value.isdigit()) for value in values
        }
        if len(values) > 1 and (len(kinds) > 1 or kinds == {False}):
            found += [
                e for e, v in zip(entries, values, strict=True) if not v.startswith(("dyn(", "JSONPatch{"))
            ]
    return found


def _literals(expression: str) -> Iterator[tuple[str, list[str]]]:
    """Every map and list literal: how it opens, and its entries."""
    opened: list[tuple[str, int, list[int]]] = []
    tokens = re.finditer(r'"(?:[^"\\]|\\.)*"|//[^\n]*|\w*[{(\[]|[})\],]', expression)
    for token in tokens:
        text = token.group()
        if text[-1] in "{([" and text[0] != '"':
            opened.append((text, token.end(), []))
        elif text == ",":
            opened[-1][2].append(token.start())
        elif text in ("}", ")", "]"):
            opening, start, commas = opened.pop()
            if opening in ("{", "["):
                edges = [start - 1, *commas, token.start()]
                yield opening, [expression[i + 1 : j].strip() for i, j in pairwise(edges)]


@cache
def _environment() -> Any:
    cel = _cel()
    from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

    pool = descriptor_pool.DescriptorPool()
    values = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(values)
    pool.Add(values)
    # The type that Kubernetes declares for its patches.
    file = descriptor_pb2.FileDescriptorProto(name="patch.proto", syntax="proto3", dependency=[values.name])
    message = file.message_type.add(name="JSONPatch")
    for number, name in enumerate(("op", "from", "path"), start=1):
        message.field.add(name=name, number=number, type=9, label=1)
    message.field.add(name="value", number=4, type=11, type_name=".google.protobuf.Value", label=1)
    pool.Add(file)
    declared = {"object": cel.Type.DYN, "variables": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}
    return cel.NewEnv(descriptor_pool=pool, variables=declared)


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


def _evaluate(expression: str, pod: Object, variables: Object) -> Any:
    value = _compiled(expression).eval(data={"object": pod, "variables": variables})
    assert value.type() != _cel().Type.ERROR, f"{expression}: {value.value()}"
    return value.plain_value()


def _cel() -> Any:
    return tool("cel_expr_python.cel")


def _operation(message: Any) -> Object:
    from google.protobuf.json_format import MessageToDict

    found: Object = MessageToDict(message)
    return {key: _whole(value) for key, value in found.items()}


def _whole(value: Any) -> Any:
    """A google.protobuf.Value knows only doubles; Kubernetes writes whole ones as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
