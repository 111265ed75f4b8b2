"""What is to be done with a pod that asks for a sidecar, or why nothing is.

Says the same of the same pod as the chart's policy (a test holds both to it), and knows more where Services
could be listed: the policy must believe the pod. It reads the pod as the API server has validated it, and
changes nothing. The trap is the order of the refusals: the first that holds is the one that is told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecar.admission.injection import Injection
from sidecar.admission.interception import (
    FIRST_MINOR,
    REFUSALS,
    Interception,
    Mode,
    TargetPort,
    Verdict,
    decide,
)

Object = dict[str, Any]

PREFIX = "inference-sidecar.io/"
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Plan:
    """`how` is None when nothing is done; `status` then says why. `warnings` are for whoever created the pod.

    `container` and `port` are places in the pod's lists: the model's container, and its port that is swapped.
    """

    status: str
    how: Interception | None = None
    container: int = 0
    port: int = 0
    target: str = ""
    model_port: str = ""
    warnings: list[str] = field(default_factory=list)


class _Refused(Exception):
    """Carries a key of REFUSALS."""


def plan(pod: Object, injection: Injection, targets: Sequence[str | int] = ()) -> Plan:
    """The plan for `pod`. `targets`: those of the Services that select it, if they could be listed."""
    try:
        return _plan(pod, injection, targets)
    except _Refused as refused:
        status = f"refused: {REFUSALS[str(refused)]}"
        return Plan(status, warnings=[status])


def _plan(pod: Object, injection: Injection, targets: Sequence[str | int]) -> Plan:
    notes = annotations(pod)
    place, model = _model(pod, notes)
    ports: list[Object] = model.get("ports") or []
    target = _target(notes, ports, targets)
    numeric = _is_number(target)
    index, model_port = (0, target) if numeric else _named(ports, target)
    _check_room(pod, injection, model_port)
    asked = _asked(notes, injection)
    decision = decide(
        Mode.WEBHOOK,
        asked,
        TargetPort.NUMERIC if numeric else TargetPort.NAMED,
        # The chart is for 1.29 and later: an older API server would not have installed it.
        minor=FIRST_MINOR,
        redirect_enabled=injection.redirect_enabled,
    )
    if decision.how is None:
        status = f"refused: {decision.message}"
        return Plan(status, warnings=[status])
    status = _status(decision.how, decision.verdict, target, model_port)
    warnings = [status] if decision.verdict is Verdict.FALLS_BACK else []
    warnings += _bypasses(decision.how, model_port, targets)
    return Plan(status, decision.how, place, index, target, model_port, warnings)


def annotations(pod: Object) -> dict[str, str]:
    """The pod's annotations with our prefix, without it."""
    given = pod["metadata"].get("annotations") or {}
    return {key.removeprefix(PREFIX): str(value) for key, value in given.items() if key.startswith(PREFIX)}


def _model(pod: Object, notes: dict[str, str]) -> tuple[int, Object]:
    """The model's container: as annotated, else the first."""
    containers: list[Object] = pod["spec"]["containers"]
    name = notes.get("container", containers[0]["name"])
    found = [(index, one) for index, one in enumerate(containers) if one["name"] == name]
    if len(found) != 1:
        raise _Refused("no_such_container")
    return found[0]


def _target(notes: dict[str, str], ports: list[Object], targets: Sequence[str | int]) -> str:
    """What the Service's targetPort is: as annotated, else what Services say, else the first TCP port."""
    if "target-port" in notes:
        if not notes["target-port"]:
            raise _Refused("no_port")
        return notes["target-port"]
    tcp = [port for port in ports if _is_tcp(port)]
    told = _told(tcp, targets)
    if told:
        return told
    if not tcp:
        raise _Refused("no_port")
    return str(tcp[0].get("name") or tcp[0]["containerPort"])


def _told(tcp: list[Object], targets: Sequence[str | int]) -> str:
    """The first target that is a port of this container; a number before a name, since it is the harder one.

    Where no port is declared, a single number can only be meant for the model.
    """
    numbers, names = {port["containerPort"] for port in tcp}, {port.get("name") for port in tcp}
    ours = [target for target in targets if target in (numbers if isinstance(target, int) else names)]
    if not tcp and len(targets) == 1 and isinstance(targets[0], int):
        ours = list(targets)
    ours.sort(key=lambda target: isinstance(target, str))
    return str(ours[0]) if ours else ""


def _named(ports: list[Object], name: str) -> tuple[int, str]:
    """Place and number of the TCP port of this name."""
    found = [
        (index, str(port["containerPort"]))
        for index, port in enumerate(ports)
        if _is_tcp(port) and port.get("name") == name
    ]
    if len(found) != 1:
        raise _Refused("no_such_port")
    return found[0]


def _check_room(pod: Object, injection: Injection, model_port: str) -> None:
    """Whether the sidecar's ports are its own in this pod."""
    if pod["spec"].get("hostNetwork"):
        raise _Refused("host_network")
    declared = {port["containerPort"] for one in pod["spec"]["containers"] for port in one.get("ports") or ()}
    if {injection.inference_port, injection.admin_port} & {*declared, int(model_port)}:
        raise _Refused("port_taken")


def _asked(notes: dict[str, str], injection: Injection) -> Interception:
    try:
        return Interception(notes.get("interception", injection.interception))
    except ValueError:
        raise _Refused("unknown_interception") from None


def _status(how: Interception, verdict: Verdict, target: str, model_port: str) -> str:
    if how is Interception.PORT_SWAP:
        leads = f"port {target} leads to the sidecar, the model server is asked on {model_port}"
        return f"injected: port-swap, {leads}"
    why = ", since a port swap cannot take over a number" if verdict is Verdict.FALLS_BACK else ""
    return f"injected: redirect of port {model_port}{why}"


def _bypasses(how: Interception, model_port: str, targets: Sequence[str | int]) -> list[str]:
    """A swap takes over a name. A Service that gives the number beside it goes past the sidecar."""
    if how is Interception.PORT_SWAP and int(model_port) in targets:
        past = f"a Service gives the number {model_port} as targetPort, which goes past the sidecar"
        return [f"{past}; name the port"]
    return []


def _is_number(target: str) -> bool:
    return bool(_NUMBER.fullmatch(target)) and int(target) <= _LAST_PORT


def _is_tcp(port: Object) -> bool:
    return bool(port.get("protocol", "TCP") == "TCP")
