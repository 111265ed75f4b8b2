"""HTTP messages as request loggers send them: captured, and made up with only what matters."""

import json
from pathlib import Path
from typing import Any

from sidecar.ingest.events import Event, read

CASES = Path(__file__).parent.parent / "cases" / "ingest"
Message = tuple[dict[str, str], bytes]


def captured(case: str) -> Message:
    """The fields (lower case) and the body of a captured HTTP message."""
    head, _, body = (CASES / f"{case}.request").read_bytes().partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {
        name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)
    }, body


def logged(role: str, data: Any, *, id: str = "1", source: str = "kserve", **attributes: str) -> Message:
    """An event in binary mode; `data` is bytes, or what becomes JSON."""
    prefix = {"kserve": "org.kubeflow.serving", "seldon": "io.seldon.serving"}.get(source, "example")
    said = {
        "type": f"{prefix}.inference.{role}",
        "id": id,
        "specversion": "1.0",
        "source": "http://localhost:9081/",
        "inferenceservicename": "iris",
        "namespace": "default",
        **attributes,
    }
    headers = {f"ce-{name}": value for name, value in said.items()} | {"content-type": "application/json"}
    return headers, data if isinstance(data, bytes) else json.dumps(data).encode()


def event(role: str, data: Any = b"{}", **more: Any) -> Event:
    """One event."""
    found = read(*logged(role, data, **more))[0]
    assert found is not None
    return found
