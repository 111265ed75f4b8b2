"""Processes the demo starts, and the certainty that none of them outlives it.

Each runs in a session of its own: Ctrl-C reaches only the demo, which then stops them in order, politely
first and as a whole group in the end.
"""

import asyncio
import contextlib
import ctypes
import itertools
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sidecar.errors import SidecarError

# Past every drain the demo configures; who is still there then is stopped the hard way.
_GRACE_SECONDS = 8.0
_POLL_SECONDS = 0.05
_LOG_LINES = 5
# Below those that Linux gives to outgoing connections (net.ipv4.ip_local_port_range): one of them could
# take a port between its choice and the start of the program it was chosen for.
_PORTS = range(10_000, 32_768)
_claims: list[socket.socket] = []
_PR_SET_PDEATHSIG = 1  # prctl(2)

Check = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Child:
    """A running process, its name for people, and where its output goes."""

    name: str
    process: Process
    log: Path

    def ended(self) -> bool:
        """It is gone."""
        return self.process.returncode is not None

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_LINES:])


@asynccontextmanager
async def running(
    name: str, arguments: Sequence[str], log: Path, *, piped: bool = False
) -> AsyncIterator[Child]:
    """A process for as long as the block lasts. `piped` gives its standard input and output to us."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=PIPE if piped else DEVNULL,
            stdout=PIPE if piped else output,
            stderr=output,
            env=_environment(),
            start_new_session=True,
            preexec_fn=_end_with_us,
        )
    try:
        yield Child(name, process, log)
    finally:
        await _stop(process)


def _end_with_us() -> None:
    """In the child: be asked to leave when the demo is gone, even if it was killed and could stop nobody."""
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def until(check: Check, child: Child, seconds: float = 20.0) -> None:
    """Return when `check` says yes. Raises SidecarError when the child ends first or takes too long."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await check():
        if child.ended():
            raise SidecarError(f"{child.name} ended with {child.process.returncode}:\n{child.last_words()}")
        if asyncio.get_running_loop().time() > deadline:
            raise SidecarError(f"{child.name} is not ready after {seconds:g} s:\n{child.last_words()}")
        await asyncio.sleep(_POLL_SECONDS)


async def finished(name: str, arguments: Sequence[str], log: Path) -> None:
    """Run a command to its end. Raises SidecarError when it fails."""
    async with running(name, arguments, log) as child:
        if await child.process.wait() != 0:
            raise SidecarError(f"{name} failed:\n{child.last_words()}")


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on, and that no process gets from here again before this one has ended.

    Raises SidecarError when there are not so many.
    """
    ours = (port for port in random.sample(_PORTS, len(_PORTS)) if _is_free(port) and _claim(port))
    found = list(itertools.islice(ours, count))
    if len(found) < count:
        raise SidecarError(f"there are no {count} free ports on 127.0.0.1")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as tried, contextlib.suppress(OSError):
        tried.bind(("127.0.0.1", port))
        return True
    return False


def _claim(port: int) -> bool:
    """Tell other processes: a Unix socket has its name, without a file, for as long as we live."""
    if sys.platform != "linux":
        return True  # no names without files: there the choice is only likely to be ours alone
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0inference-sidecar-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _environment() -> dict[str, str]:
    """Ours, without what would reconfigure the sidecar or send the demo's metrics to a real collector."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR_", "OTEL_"))}


async def _stop(process: Process) -> None:
    if process.returncode is None:
        _signal(process.terminate)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
    # Whatever it started is in its group and may outlive it.
    _signal(lambda: os.killpg(process.pid, signal.SIGKILL))
    await process.wait()


def _signal(send: Callable[[], None]) -> None:
    """Send, unless there is nobody left to send it to."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send()
