"""What the supervisor is to run: plain values that travel to it as JSON, so it need not read settings."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sidecar.address import Address, Route

Message = dict[str, Any]

# Held back from before the supervisor takes the command's place until it can heed them.
HEEDED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `tee` empty means a private socket; `observer` None means it runs elsewhere."""

    routes: Sequence[Route]
    admin: Address | None
    workers: int
    connect_timeout: float
    drain_grace: float
    drain_deadline: float
    observer: Message | None = None
    tee: str = ""
    tls: Message | None = None
    upstream_tls: Message | None = None

    def to_json(self) -> str:
        """For `from_json` in another process."""
        plan: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        plan["routes"] = [[str(route.listen), str(route.upstream or "")] for route in self.routes]
        plan["admin"] = str(self.admin) if self.admin is not None else None
        return json.dumps(plan)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan that `to_json` wrote."""
        plan = json.loads(text)
        plan["routes"] = [
            Route(Address.parse(listen), Address.parse(upstream) if upstream else None)
            for listen, upstream in plan["routes"]
        ]
        plan["admin"] = Address.parse(plan["admin"]) if plan["admin"] is not None else None
        return cls(**plan)
