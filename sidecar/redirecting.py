"""`sidecar redirect`: takes over a port for `sidecar run --redirect`, with iptables.

One rule per address family: what arrives from outside for `port` goes to the sidecar. What the sidecar
itself sends to the model server never passes that chain, so there is no loop. Needs NET_ADMIN, and is safe
to run again: a rule that is there is not added twice. In a pod the rules are gone with the pod.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator

from sidecar.errors import SidecarError, UsageError

# For the lock that iptables programs share; somebody else may be writing rules at the same moment.
_WAIT_SECONDS = "10"


def redirect(port: int, to: int, *, remove: bool = False) -> int:
    """Add the rules, or take them away. Raises SidecarError when IPv4 cannot be redirected, UsageError
    when nothing would be: a port sent to itself goes past the sidecar.

    IPv6 is tried and only warned about: many nodes have none.
    """
    if port == to and not remove:
        raise UsageError(f"--to: {to} is the model server's own port; give the port the sidecar listens on")
    _change("iptables", port, to, remove)
    try:
        _change("ip6tables", port, to, remove)
    except SidecarError as error:
        print(f"warning: IPv6 is not redirected: {error}", file=sys.stderr)
    print(f"port {port} is {'no longer ' if remove else ''}redirected to {to}")
    return 0


def _change(program: str, port: int, to: int, remove: bool) -> None:
    if shutil.which(program) is None:
        raise SidecarError(f"{program} is not installed; the image for injection.redirect has it")
    there = _run(program, "-C", port, to).returncode == 0
    if there is not remove:
        return
    done = _run(program, "-D" if remove else "-A", port, to)
    if done.returncode:
        raise SidecarError(f"{program}: {done.stderr.strip() or f'exit code {done.returncode}'}")


def _run(program: str, action: str, port: int, to: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(command(program, action, port, to)), capture_output=True, text=True)


def command(program: str, action: str, port: int, to: int) -> Iterator[str]:
    """The arguments of one call; `action` is -C, -A or -D."""
    yield from (program, "-w", _WAIT_SECONDS, "-t", "nat", action, "PREROUTING", "-p", "tcp")
    yield from ("--dport", str(port), "-j", "REDIRECT", "--to-ports", str(to))
