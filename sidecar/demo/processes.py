"""Processes the demo starts, and the certainty that none of them outlives it.

Each runs in a session of its own: Ctrl-C reaches only the demo, which then stops them in order, politely
first and as a whole group in the end.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
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
    """Loopback ports nobody listens on. All are held until all are known, so that no two are the same."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


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
