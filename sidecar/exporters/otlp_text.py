"""What all signals write alike: the resource, attributes, times. Pure; loads no messages itself."""

from collections.abc import Mapping
from typing import Any

SCOPE = "sidecar"

# What an attribute may hold.
Attribute = str | bool | int | float | tuple[str, ...]


def fill_resource(group: Any, resource: Mapping[str, str], scopes: str) -> Any:
    """Write the resource into a `Resource…` message and add its one scope, which is returned."""
    write_attributes(group.resource.attributes, resource)
    scope = getattr(group, scopes).add()
    scope.scope.name = SCOPE
    scope.scope.version = resource.get("service.version", "")
    return scope


def write_attributes(into: Any, attributes: Mapping[str, Attribute]) -> None:
    """Add each attribute, typed."""
    for key, value in attributes.items():
        held = into.add(key=wire_text(key)).value
        if isinstance(value, bool):
            held.bool_value = value
        elif isinstance(value, int):
            # Larger ones do not fit the message.
            if -(2**63) <= value < 2**63:
                held.int_value = value
            else:
                held.string_value = str(value)
        elif isinstance(value, float):
            held.double_value = value
        elif isinstance(value, tuple):
            for text in value:
                held.array_value.values.add(string_value=wire_text(text))
        else:
            held.string_value = wire_text(value)


def wire_text(value: str) -> str:
    """Protocol buffers refuse a lone surrogate, and one odd text must not cost the whole export."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def nanoseconds(seconds: float) -> int:
    """Wall-clock seconds as OTLP's time."""
    return int(seconds * 1e9)
