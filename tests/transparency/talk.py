"""A scripted conversation between two sockets, and what each end saw of the other.

Both ends play a list of steps. What an end *sent* is its script; what it *saw* is its transcript. The
same scripts played over a direct connection and through the relay must give equal transcripts. Steps
wait for bytes or for signals of the other end, never for time, so a transcript has one possible value.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

# Past it somebody waits for bytes that never come: the one way a lost byte shows.
PATIENCE_SECONDS = 20.0
_PIECE_BYTES = 65536
LINGER_NOTHING = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Send:
    """Write all of it; a peer that is gone is not the sender's concern here."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """Exactly this many bytes, or fewer and the end."""

    count: int


@dataclass(frozen=True, slots=True)
class Until:
    """Read until these bytes were seen, or the end."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Rest:
    """Read to the end."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Half-close: send no more."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Reset the connection."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Signal the other end past the wire."""

    what: str


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for such a signal."""

    what: str


Step = Send | Read | Until | Rest | Finish | Cut | Tell | Await


@dataclass(slots=True)
class Transcript:
    """What one end saw: the bytes of each reading step, and how the other direction ended."""

    steps: list[bytes] = field(default_factory=list)
    end: str = "open"

    @property
    def data(self) -> bytes:
        return b"".join(self.steps)


class End:
    """One socket playing its script."""

    def __init__(self, sock: socket.socket, signals: dict[str, asyncio.Event]) -> None:
        self._sock = sock
        self._signals = signals
        self._ahead = b""
        self._loop = asyncio.get_running_loop()
        self.saw = Transcript()

    async def play(self, steps: Sequence[Step]) -> Transcript:
        sock = self._sock
        try:
            for step in steps:
                await self._play(step)
        finally:
            sock.close()
        return self.saw

    async def _play(self, step: Step) -> None:
        match step:
            case Send(data):
                await self._send(data)
            case Read(count):
                await self._read(lambda: len(self._ahead) if len(self._ahead) >= count else -1, count)
            case Until(text):
                await self._read(lambda: found + len(text) if (found := self._ahead.find(text)) >= 0 else -1)
            case Rest():
                await self._read(lambda: -1)
            case Finish():
                self._finish()
            case Cut():
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
                self._sock.close()
            case Tell(what):
                self._signals.setdefault(what, asyncio.Event()).set()
            case Await(what):
                await self._signals.setdefault(what, asyncio.Event()).wait()

    async def _send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the other's transcript shows it
            await self._loop.sock_sendall(self._sock, data)

    def _finish(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.saw.end = "reset"

    async def _read(self, enough: object, count: int | None = None) -> None:
        assert callable(enough)
        while (found := enough()) < 0 and self.saw.end == "open":
            try:
                piece = await self._loop.sock_recv(self._sock, _PIECE_BYTES)
            except ConnectionResetError:
                self.saw.end = "reset"
            else:
                self._ahead += piece
                if not piece:
                    self.saw.end = "eof"
        size = count if count is not None else (found if found >= 0 else len(self._ahead))
        self.saw.steps.append(self._ahead[:size])
        self._ahead = self._ahead[size:]


async def talk(
    address: tuple[str, int], listener: socket.socket, client: Sequence[Step], server: Sequence[Step]
) -> tuple[Transcript, Transcript]:
    """Play both scripts over one connection to `address` that arrives at `listener`."""
    loop = asyncio.get_running_loop()
    signals: dict[str, asyncio.Event] = {}
    near = socket.socket()
    near.setblocking(False)
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await loop.sock_connect(near, address)
        far, _ = await loop.sock_accept(listener)
        far.setblocking(False)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ends = End(near, signals).play(client), End(far, signals).play(server)
        both = await asyncio.gather(*ends)
    return both[0], both[1]
