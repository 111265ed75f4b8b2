"""What `sidecar explain` does: read, explain, print."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from sidecar.address import Address
from sidecar.config import Settings
from sidecar.decoders import Decoders, explain
from sidecar.errors import SidecarError
from sidecar.explain import recent, table
from sidecar.explain.captures import Capture, read_captures
from sidecar.inference import Inference, ModelRef
from sidecar.observer.naming import Naming
from sidecar.observer.pipeline import load_references


def explain_file(path: str, settings: Settings, form: str) -> int:
    """Explain each exchange of a file; 1 if there is none."""
    decoders, number = Decoders(settings.payload_rules()), 0
    naming = Naming(*load_references(settings), settings.policies())
    for number, capture in enumerate(read_captures(path), 1):
        _print(number, _explanation(capture, decoders, naming, settings.policies().model), form)
    if number == 0:
        raise SidecarError(f"{path}: there are no exchanges in this file")
    return 0


def explain_recent(admin: Address, chosen: str, form: str) -> int:
    """Explain exchanges that a running sidecar saw lately: all that it remembers, or the one `chosen`."""
    found = recent.fetch(admin, chosen)
    if not found and form == "table":
        print("no exchanges yet")
    for said in found:
        _print(said["id"], said, form)
    return 0


def _explanation(
    capture: Capture, decoders: Decoders, naming: Naming, configured: ModelRef
) -> dict[str, Any]:
    seen = capture.exchange
    found: list[ModelRef] = []

    def settle(inference: Inference) -> None:
        """As live, but without what routes remember: a file is no traffic of the last hour."""
        found.append(inference.model)
        inference.model = _completed(inference.model, configured)
        naming.name(inference)

    head = {"method": seen.method, "target": seen.target, "status": seen.status if capture.answered else None}
    said = explain(seen, decoders, settle)
    for key in ("name", "version") if found else ():
        of_traffic = getattr(found[0], key)
        said["model"][f"{key}_from"] = (
            "traffic" if of_traffic else "configuration" if said["model"][key] else None
        )
    return {**head, "outcome": seen.outcome.value if capture.answered else None, **said}


def _completed(said: ModelRef, configured: ModelRef) -> ModelRef:
    """What the traffic does not say, by the configuration; its version is of its own model, or of any."""
    name = said.name or configured.name
    version = configured.version if not configured.name or name == configured.name else ""
    return ModelRef(name, said.version or version)


def _print(number: int, said: Mapping[str, Any], form: str) -> None:
    if form == "json":
        print(json.dumps(said, allow_nan=False))
    else:
        table.show(Console(file=sys.stdout, highlight=False, markup=False), number, said)
