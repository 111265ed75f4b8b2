"""What the Services that select a pod say of its port: a name, or a number that a port swap cannot take over.

Takes what an API server lists, asks nobody. The trap: a Service without `targetPort` means the number of its
`port`; and one that selects nothing (no selector) is kept by hand and says nothing of pods.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Object = dict[str, Any]


def target_ports(services: list[Object], labels: Mapping[str, str]) -> list[str | int]:
    """Each distinct TCP target port of the Services that select `labels`, in the order of their names.

    What is not shaped like a Service is passed over.
    """
    found: dict[str | int, None] = {}
    for service in sorted(filter(_is_service, services), key=lambda one: str(one["metadata"].get("name"))):
        if _selects(service["spec"], labels):
            found.update(dict.fromkeys(_targets(service["spec"])))
    return list(found)


def _is_service(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("metadata"), dict)
        and isinstance(item.get("spec"), dict)
    )


def _selects(spec: Object, labels: Mapping[str, str]) -> bool:
    selector = spec.get("selector")
    if not isinstance(selector, dict) or not selector or spec.get("type") == "ExternalName":
        return False
    return all(labels.get(key) == value for key, value in selector.items())


def _targets(spec: Object) -> Iterator[str | int]:
    for port in spec.get("ports") or ():
        if isinstance(port, dict) and port.get("protocol", "TCP") == "TCP":
            target = port.get("targetPort") or port.get("port")
            if isinstance(target, str | int):
                yield target
