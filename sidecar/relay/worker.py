"""One relay process: inherits listening sockets, relays, reports once a second, drains when told.

Told what to do by JSON lines on one inherited socket, and by nothing else: signals of the terminal's
process group are ignored, and when the supervisor is gone (end of file) the worker drains by itself.
"""

import contextlib
import gc
import json
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from sidecar import clock
from sidecar.chunk import Kind
from sidecar.relay.counters import Counters
from sidecar.relay.listener import Listener
from sidecar.relay.loop import READABLE, Loop
from sidecar.relay.tee import Tee
from sidecar.relay.upstream import Upstream

if TYPE_CHECKING:
    from sidecar.relay.tls import Contexts

_REPORT_SECONDS = 1.0
_LAG_PROBE_SECONDS = 0.1
_DRAIN_POLL_SECONDS = 0.1
_COMPLAIN_SECONDS = 10.0
# In the last second of a drain whoever pauses at all between two requests is let go; looked at as often.
_LAST_SECONDS, _LAST_POLL_SECONDS, _LAST_QUIET_SECONDS = 1.0, 0.01, 0.005
# Longer than the time between two tokens of a stream, short enough that idle connections hold up nobody.
_LONGEST_QUIET_SECONDS = 2.0


class Worker:
    """The life of one relay process."""

    def __init__(self, control: socket.socket, setup: dict[str, Any]) -> None:
        self._loop = Loop(self._fault)
        self._control = control
        self._said = b""  # by the supervisor, up to a line's end
        self._setup = setup
        self._counters = Counters(int(setup["slot"]), setup["before"])
        number = int(setup["worker"])
        self._tee = Tee(self._loop, setup["tee"], number, self._counters)
        self._tls = _contexts(setup)
        patience = float(setup["connect_timeout"])
        self._listener = Listener(self._loop, number, self._tee, self._counters, patience, self._tls)
        self._deadline: float | None = None
        self._complained = 0.0

    def run(self) -> None:
        """Serve until told to drain and drained, or past the deadline."""
        for route in self._setup["routes"]:
            sock = socket.socket(fileno=route["fd"])
            sock.setblocking(False)
            upstream = Upstream(**route["upstream"]) if route["upstream"] else None
            self._listener.listen(sock, route["name"], upstream)
        self._tee.connect()
        self._loop.watch(self._control.fileno(), READABLE, self._obey)
        self._loop.later(_REPORT_SECONDS, self._report)
        self._probe_lag()
        if self._tls is not None:
            self._renew_certificates(self._tls)
        self._tell({"ready": True})
        self._loop.run()
        for pair in list(self._listener.pairs.values()):
            pair.abort()
        self._loop.turn(0)
        self._tell({"stats": self._counters.report()})
        self._tee.close()

    def _obey(self, _events: int) -> None:
        try:
            said = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        *lines, self._said = (self._said + said).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "drain" in command:
                self._drain(float(command["drain"]))
        if not said:
            self._loop.watch(self._control.fileno(), 0, self._obey)
            self._drain(float(self._setup["drain_deadline"]))

    def _drain(self, seconds: float) -> None:
        first = self._deadline is None
        self._deadline = clock.monotonic() + seconds
        if first:
            self._listener.stop_accepting()
            self._leave_when_drained()

    def _leave_when_drained(self) -> None:
        """Close what is quiet; leave when nothing is left or time is up."""
        assert self._deadline is not None
        now = clock.monotonic()
        left = self._deadline - now
        for pair in list(self._listener.pairs.values()):
            quiet = pair.quiet_since()
            if quiet is not None and now - quiet >= quiet_enough(left):
                pair.finish()
        if not self._listener.pairs or left <= 0:
            self._loop.stop()
        pause = _LAST_POLL_SECONDS if left < _LAST_SECONDS else _DRAIN_POLL_SECONDS
        self._loop.later(pause, self._leave_when_drained)

    def _report(self) -> None:
        report = self._counters.report()
        self._tee.say(Kind.STATS, report)
        self._tell({"stats": report})
        self._loop.later(_REPORT_SECONDS, self._report)

    def _probe_lag(self) -> None:
        asked = clock.monotonic() + _LAG_PROBE_SECONDS

        def note() -> None:
            # The timer's own resolution is a millisecond: what is under it is not lag.
            self._counters.lag(max(clock.monotonic() - asked - 0.001, 0.0))
            self._probe_lag()

        self._loop.later(_LAG_PROBE_SECONDS, note)

    def _renew_certificates(self, tls: "Contexts") -> None:
        from sidecar.relay.tls import RELOAD_SECONDS

        def renew() -> None:
            self._renew_certificates(tls)
            try:
                if tls.renew():
                    self._tell({"log": "certificates were loaded again"})
            except OSError as error:
                self._tell(
                    {"log": f"certificates are kept as they were, the new ones cannot be used: {error}"}
                )

        self._loop.later(RELOAD_SECONDS, renew)

    def _fault(self, fault: Exception) -> None:
        """Ours, and it cost one connection at most: say so, not more often than anybody can read."""
        now = clock.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS or not self._complained:
            self._complained = now
            self._tell({"log": f"a fault of the relay's own in {_where(fault)}: {fault!r}"})

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


def _where(fault: Exception) -> str:
    """Function and line; the module for tracebacks would load half the standard library."""
    at = fault.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{at.tb_frame.f_code.co_qualname}, line {at.tb_lineno}" if at is not None else "no place"


def _contexts(setup: dict[str, Any]) -> "Contexts | None":
    """What TLS needs, where it is wanted: loading it costs 2 MB and a moment."""
    if not (setup["tls"] or setup["upstream_tls"]):
        return None
    from sidecar.relay.tls import ClientTls, Contexts, ServerTls

    return Contexts(
        ServerTls(**setup["tls"]) if setup["tls"] else None,
        ClientTls(**setup["upstream_tls"]) if setup["upstream_tls"] else None,
    )


def main() -> None:
    """Entry point of `python -m sidecar.relay.worker FD`."""
    _raise_descriptor_limit()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(True)
    setup = read_setup(control)
    control.setblocking(False)
    worker = Worker(control, setup)
    # Nothing here makes cycles on the hot path; a full collection over 10,000 connections is a stall.
    gc.freeze()
    worker.run()


if __name__ == "__main__":
    main()
