"""One relay process: inherits listening sockets, relays, reports once a second, drains when told.

Told what to do by JSON lines on one inherited socket, and by nothing else: signals of the terminal's
process group are ignored, and when the supervisor is gone (end of file) the worker drains by itself.
"""

import asyncio
import contextlib
import gc
import json
import resource
import signal
import socket
import sys
from typing import Any

from sidecar import clock
from sidecar.chunk import Kind
from sidecar.relay.counters import Counters
from sidecar.relay.listener import Listener
from sidecar.relay.tee import Tee
from sidecar.relay.tls import RELOAD_SECONDS, ClientTls, Contexts, ServerTls
from sidecar.relay.upstream import Upstream

_REPORT_SECONDS = 1.0
_LAG_PROBE_SECONDS = 0.1
_DRAIN_POLL_SECONDS = 0.1
# In the last second of a drain whoever pauses at all between two requests is let go; looked at as often.
_LAST_SECONDS, _LAST_POLL_SECONDS, _LAST_QUIET_SECONDS = 1.0, 0.01, 0.005
# Longer than the time between two tokens of a stream, short enough that idle connections hold up nobody.
_LONGEST_QUIET_SECONDS = 2.0


class Worker:
    """The life of one relay process."""

    def __init__(self, control: socket.socket, setup: dict[str, Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._setup = setup
        self._counters = Counters(int(setup["slot"]), setup["before"])
        number = int(setup["worker"])
        self._tee = Tee(self._loop, setup["tee"], number, self._counters)
        self._tls = Contexts(
            ServerTls(**setup["tls"]) if setup["tls"] else None,
            ClientTls(**setup["upstream_tls"]) if setup["upstream_tls"] else None,
        )
        patience = float(setup["connect_timeout"])
        self._listener = Listener(number, self._tee, self._counters, patience, self._tls)
        self._deadline: float | None = None

    async def run(self) -> None:
        """Serve until told to drain and drained, or past the deadline."""
        for route in self._setup["routes"]:
            sock = socket.socket(fileno=route["fd"])
            sock.setblocking(False)
            upstream = Upstream(**route["upstream"]) if route["upstream"] else None
            await self._listener.listen(sock, route["name"], upstream)
        self._tee.connect()
        work = (self._report(), self._probe_lag(), self._obey(), self._renew_certificates())
        background = [asyncio.create_task(each) for each in work]
        self._tell({"ready": True})
        while not self._drained():
            in_a_hurry = self._deadline is not None and self._deadline - clock.monotonic() < _LAST_SECONDS
            await asyncio.sleep(_LAST_POLL_SECONDS if in_a_hurry else _DRAIN_POLL_SECONDS)
        for task in background:
            task.cancel()
        for pair in list(self._listener.pairs.values()):
            pair.abort()
        await asyncio.sleep(0)
        self._tell({"stats": self._counters.report()})
        self._tee.close()

    async def _obey(self) -> None:
        reader, _ = await asyncio.open_unix_connection(sock=self._control.dup())
        while line := await reader.readline():
            command = json.loads(line)
            if "drain" in command:
                self._drain(float(command["drain"]))
        self._drain(float(self._setup["drain_deadline"]))

    def _drain(self, seconds: float) -> None:
        if self._deadline is None:
            self._listener.stop_accepting()
        self._deadline = clock.monotonic() + seconds

    def _drained(self) -> bool:
        """Close what is quiet; true when nothing is left or time is up."""
        if self._deadline is None:
            return False
        now = clock.monotonic()
        for pair in list(self._listener.pairs.values()):
            quiet = pair.quiet_since()
            if quiet is not None and now - quiet >= quiet_enough(self._deadline - now):
                pair.finish()
        return not self._listener.pairs or now >= self._deadline

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            report = self._counters.report()
            self._tee.say(Kind.STATS, report)
            self._tell({"stats": report})

    async def _probe_lag(self) -> None:
        while True:
            asked = clock.monotonic() + _LAG_PROBE_SECONDS
            await asyncio.sleep(_LAG_PROBE_SECONDS)
            # The timer's own resolution is a millisecond: what is under it is not lag.
            self._counters.lag(max(clock.monotonic() - asked - 0.001, 0.0))

    async def _renew_certificates(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                if self._tls.renew():
                    self._tell({"log": "certificates were loaded again"})
            except OSError as error:
                self._tell(
                    {"log": f"certificates are kept as they were, the new ones cannot be used: {error}"}
                )

    def _tell(self, message: dict[str, Any]) -> None:
        """To the supervisor; never waits for it."""
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def quiet_enough(left: float) -> float:
    """How long a connection was quiet after an answer, in seconds, when a drain with `left` to go ends it.

    Of HTTP/1 nothing says that an answer is over, only that it paused: so early on a long pause is asked
    for, and less and less towards the deadline, where all that is left is cut.
    """
    return _LAST_QUIET_SECONDS if left <= _LAST_SECONDS else min(max(left / 5, 0.2), _LONGEST_QUIET_SECONDS)


def read_setup(control: socket.socket) -> dict[str, Any]:
    """The first line the supervisor sends: everything this process needs to know.

    What follows is left in the socket: a process that starts slowly finds reports waiting behind it.
    """
    line = b""
    while not line.endswith(b"\n"):
        ahead = control.recv(65536, socket.MSG_PEEK)
        if not ahead:
            raise SystemExit(1)
        line += control.recv(ahead.find(b"\n") + 1 or len(ahead))
    setup: dict[str, Any] = json.loads(line)
    return setup


def _raise_descriptor_limit() -> None:
    """As many open files as we may have: a connection takes two, and a soft limit of 1,024 is usual."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Entry point of `python -m sidecar.relay.worker FD`."""
    import uvloop

    _raise_descriptor_limit()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(True)
    setup = read_setup(control)
    control.setblocking(False)
    # Nothing here makes cycles on the hot path; a full collection over 10,000 connections is a stall.
    gc.freeze()

    async def serve() -> None:
        await Worker(control, setup).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
