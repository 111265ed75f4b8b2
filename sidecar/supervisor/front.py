"""The admin port: probes are answered here, everything else is passed to the observer byte by byte.

So a stalled or dead observer never costs the pod its readiness. Standard library only. The trap: the
first request of a connection decides; after that the connection belongs to the observer, which answers
probes too. So that the observer knows who asks, clients of other hosts are passed to a socket of their own.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from http import HTTPStatus

from sidecar.sockets import for_others, is_local, unix_name

_HEAD_BYTES = 16 * 1024
_HEAD_SECONDS = 10.0
# Longer than any scrape of a healthy observer, shorter than Prometheus' default scrape timeout of 10 s.
_ANSWER_SECONDS = 8.0
# For the rest of an answer to a client that sends no more, and has most often left.
_LEFT_SECONDS = 2.0
_PIECE_BYTES = 64 * 1024
# Probes, a scraper or two and a browser; more is somebody holding connections. So many may be silent, and so
# many wait for the observer: a probe is answered beside both.
_MAX_CONNECTIONS = 256


class Front:
    """Serves the admin port.

    `ready()` says why not, or None; `metrics()` renders what is known without the observer.
    """

    def __init__(
        self, observer_path: str, ready: Callable[[], str | None], metrics: Callable[[], bytes]
    ) -> None:
        self._observer = unix_name(observer_path)
        self._observer_for_others = unix_name(for_others(observer_path))
        self._ready = ready
        self._metrics = metrics
        self._server: asyncio.Server | None = None
        # asyncio keeps only weak references to tasks; a connection must not vanish in a collection.
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        # Those that have asked for nothing yet, the oldest first.
        self._silent: dict[asyncio.Task[None], None] = {}

    async def listen(self, sock: socket.socket) -> None:
        """Answer on a listening socket until `close`."""
        self._server = await asyncio.start_server(self._accept, sock=sock, limit=_HEAD_BYTES)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._silent) >= _MAX_CONNECTIONS:
            self._heard(oldest := next(iter(self._silent)))
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving[task], self._silent[task] = writer, None
        task.add_done_callback(self._served)

    def _heard(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._silent.pop(task, None)

    def _served(self, task: asyncio.Task[None]) -> None:
        """Also of those that were told to leave before they began."""
        self._heard(task)
        self._serving.pop(task).close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            self._heard(asyncio.current_task())
            await self._dispatch(head, reader, writer)
            await writer.drain()

    async def _dispatch(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, path = _target(head)
        if path == "/-/healthy" and method in ("GET", "HEAD"):
            writer.write(_answer(HTTPStatus.OK, "inference-sidecar is healthy\n", head_only=method == "HEAD"))
        elif path == "/-/ready" and method in ("GET", "HEAD"):
            why_not = self._ready()
            status = HTTPStatus.OK if why_not is None else HTTPStatus.SERVICE_UNAVAILABLE
            text = f"{why_not or 'inference-sidecar is ready'}\n"
            writer.write(_answer(status, text, head_only=method == "HEAD"))
        elif len(self._serving) - len(self._silent) > _MAX_CONNECTIONS:
            writer.write(_away("too many connections; try again in a second", method))
        elif not await self._pass_on(head, reader, writer):
            writer.write(self._without_observer(method, path))

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Relay to the observer; False when not a byte of an answer came."""
        try:
            local = is_local(writer.get_extra_info("peername"))
            path = self._observer if local else self._observer_for_others
            theirs, ours = await asyncio.open_unix_connection(path)
        except OSError:
            return False
        upload: asyncio.Task[None] | None = None
        download: asyncio.Task[None] | None = None
        try:
            ours.write(head)
            upload = asyncio.create_task(_copy(reader, ours))
            async with asyncio.timeout(_ANSWER_SECONDS):
                first = await theirs.read(_PIECE_BYTES)
            if not first:
                return False
            writer.write(first)
            download = asyncio.create_task(_copy(theirs, writer))
            await asyncio.wait((upload, download), return_when=asyncio.FIRST_COMPLETED)
            # The observer keeps a connection for the next request; of a client that left none comes.
            await asyncio.wait((download,), timeout=_LEFT_SECONDS)
        except TimeoutError:
            return False
        except OSError:
            return True  # it broke in the middle: nothing sensible can follow
        finally:
            for task in (upload, download):
                if task is not None:
                    task.cancel()
            ours.close()
        return True

    def _without_observer(self, method: str, path: str) -> bytes:
        if path == "/metrics" and method in ("GET", "HEAD"):
            kind = "text/plain; version=0.0.4; charset=utf-8"
            return _answer(HTTPStatus.OK, self._metrics().decode(), kind, head_only=method == "HEAD")
        why = "the observer is starting, or away; traffic is relayed, and /metrics has what is counted"
        return _away(why, method)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()


def _target(head: bytes) -> tuple[str, str]:
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return (words[0], words[1].split("?", 1)[0]) if len(words) == 3 else ("", "")


def _away(error: str, method: str) -> bytes:
    """A 503 in the form of the observer's own errors, for clients that read those."""
    status, text = HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"error": error})
    return _answer(status, text, "application/json; charset=utf-8", head_only=method == "HEAD")


def _answer(
    status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8", *, head_only: bool = False
) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else body)
