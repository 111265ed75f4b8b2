"""How traffic gets into an injected sidecar, or why it does not: the one place that decides.

The webhook asks it, the chart's policy repeats it in CEL (a test holds both to the same answers), and the
table in docs/kubernetes.md is computed from it. The trap: a port swap renumbers the *named* port of the
model's own container. A Service that names the port then leads to the sidecar on every version of
Kubernetes; moving the name to a native sidecar would not, because Services look for names there only from
about 1.33 on. A Service that gives a number goes to the model whatever a pod declares, so that only a
redirect can take it over.
"""

from dataclasses import dataclass
from enum import StrEnum

# The first version with sidecar containers on by default, and the first with mutating policies (both 1.x).
FIRST_MINOR = 29
FIRST_POLICY_MINOR = 36


class Mode(StrEnum):
    """Who changes the pod."""

    POLICY = "policy"
    WEBHOOK = "webhook"
    NONE = "none"


class Interception(StrEnum):
    """What is done so that traffic meets the sidecar."""

    PORT_SWAP = "port-swap"
    REDIRECT = "redirect"


class TargetPort(StrEnum):
    """What the Service's `targetPort` is."""

    NAMED = "named"
    NUMERIC = "numeric"


class Verdict(StrEnum):
    """What comes of a request."""

    WORKS = "works"
    FALLS_BACK = "falls back to redirect"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class Decision:
    """`how` is None when nothing is done; `message` then says why, else what is left to the operator."""

    verdict: Verdict
    how: Interception | None
    message: str = ""


# What a pod's status annotation says, by reason. The chart carries these sentences as files/refusals.yaml.
REFUSALS: dict[str, str] = {
    "needs_1_29": "sidecar containers need Kubernetes 1.29 or later",
    "policy_needs_1_36": "policies need Kubernetes 1.36 or later; "
    "on older clusters use injection.mode=webhook",
    "number_needs_redirect": "a port swap cannot take over a targetPort that is a number; "
    "name the port in pod and Service, or allow injection.redirect.enabled in the chart",
    "redirect_not_enabled": "redirect was asked for, but injection.redirect.enabled is not set in the chart",
    "unknown_interception": "the annotation inference-sidecar.io/interception must be port-swap or redirect",
    "no_such_container": "there is no container with the name in the annotation "
    "inference-sidecar.io/container",
    "no_port": "the model's container declares no TCP port; say in the annotation "
    "inference-sidecar.io/target-port which it is",
    "no_such_port": "the model's container has no TCP port with the name in the annotation "
    "inference-sidecar.io/target-port",
    "host_network": "the pod uses the node's network, where the sidecar's ports belong to everyone",
    "port_taken": "a container of the pod already uses one of the sidecar's ports; change sidecar.ports",
}
# For mode none, where the owner of the chart does what the others do by themselves.
RETARGET = "set the Service's targetPort to the sidecar's port, 18080"
RENUMBER = "give the named port of the model's container the sidecar's number, 18080"
OWN_INIT_CONTAINER = "include inference-sidecar.redirectContainer"


def decide(
    mode: Mode, asked: Interception, target: TargetPort, *, minor: int, redirect_enabled: bool
) -> Decision:
    """What comes of `asked` for a Service with such a `target` port on Kubernetes 1.`minor`."""
    if minor < FIRST_MINOR:
        return _refuse("needs_1_29")
    if mode is Mode.POLICY and minor < FIRST_POLICY_MINOR:
        return _refuse("policy_needs_1_36")
    if mode is Mode.NONE:
        return _by_hand(asked, target)
    if asked is Interception.REDIRECT:
        return _works(asked) if redirect_enabled else _refuse("redirect_not_enabled")
    if target is TargetPort.NAMED:
        return _works(asked)
    if redirect_enabled:
        return Decision(Verdict.FALLS_BACK, Interception.REDIRECT)
    return _refuse("number_needs_redirect")


def _by_hand(asked: Interception, target: TargetPort) -> Decision:
    """In a chart of one's own everything works, since the Service may be changed as well."""
    if asked is Interception.REDIRECT:
        return _works(asked, OWN_INIT_CONTAINER)
    return _works(asked, RENUMBER if target is TargetPort.NAMED else RETARGET)


def _works(how: Interception, message: str = "") -> Decision:
    return Decision(Verdict.WORKS, how, message)


def _refuse(reason: str) -> Decision:
    return Decision(Verdict.REFUSES, None, REFUSALS[reason])
