"""Where request loggers post to: the `url` of KServe's logger, the sink of Seldon's.

Answers at once, whatever becomes of the event: a logger that must wait holds up inference. So reading and
joining is all that is done before the answer; the rest waits in the intake. The trap: memory. Connections,
bodies being read and halves that wait are bounded each, and what does not fit is counted.
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from sidecar import clock, sockets
from sidecar.address import Address
from sidecar.ingest.events import Event, Malformed, Role, read
from sidecar.ingest.intake import Intake
from sidecar.ingest.joining import Joiner, Settled, State
from sidecar.ingest.logged import exchange_of
from sidecar.wire.limits import MIB, Budget

SOURCES = ("kserve", "seldon", "other")
# The capture limit in base64, in a batch of three; a larger one is counted and not read.
MAX_BODY_BYTES = 4 * MIB
# Bodies being read at one moment: eight of the largest, thousands of the usual ones.
MAX_READING_BYTES = 32 * MIB
# A logger keeps a few connections per pod; KServe has been seen to open one per event.
MAX_CONNECTIONS = 512
# A logger is next door; who takes longer for one body is not sending it.
_BODY_SECONDS = 10.0
_KEEPALIVE_SECONDS = 75.0
_EXPIRY_SECONDS = 1.0
# Revisions and predictors of the services of a namespace; more share one route.
MAX_ROUTES = 100
_ROUTE = "cloudevents"
_EXCHANGES = frozenset((State.OBSERVED, State.UNANSWERED, State.UNASKED, State.EVICTED))

# aiohttp's own logger repeats the bytes of a bad request, with a traceback, as often as one is sent.
_SILENT = logging.Logger("aiohttp", logging.CRITICAL + 1)


class Sink:
    """Takes events and gives exchanges to the intake. Touches no socket."""

    def __init__(self, intake: Intake, now: Callable[[], float] = clock.monotonic) -> None:
        self._intake = intake
        self._now = now
        self._joiner = Joiner()
        self._routes: set[str] = set()
        intake.introduce(*SOURCES)

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Take what one HTTP message holds; False if that is no event."""
        try:
            events = read(headers, body)
        except Malformed:
            self._intake.count("other", "malformed")
            return False
        for event in events:
            if event is None:
                self._intake.count("other", "malformed")
            else:
                self._take(event)
        return None not in events

    def refuse(self, state: str) -> None:
        """Count a message that was not read."""
        self._intake.count("other", state)

    def expire(self) -> None:
        """Give up on halves whose other half does not come."""
        self._settle(self._joiner.expire(self._now()))

    def _take(self, event: Event) -> None:
        if event.role is Role.FEEDBACK:
            self._intake.count(event.source, "feedback")
        elif event.role is Role.OTHER:
            self._intake.count(event.source, "ignored")
        else:
            self._settle(self._joiner.add(event, self._now()))

    def _settle(self, settled: list[Settled]) -> None:
        for one in settled:
            state = one.state.value
            if one.state in _EXCHANGES:
                route = self._route(one.events[0])
                if not self._intake.offer(exchange_of(one.request, one.response, route, self._now())):
                    state = "dropped"
            self._intake.count(one.events[0].source, state, len(one.events))

    def _route(self, event: Event) -> str:
        """What keeps one revision's exchanges apart from another's, like an address they came in by."""
        route = "/".join((_ROUTE, event.namespace, event.service, event.endpoint))
        if route in self._routes or len(self._routes) < MAX_ROUTES:
            self._routes.add(route)
            return route
        return _ROUTE


class CloudEvents:
    """The HTTP server in front of a `Sink`."""

    def __init__(self, sink: Sink, address: Address) -> None:
        self._sink = sink
        self.address = address
        self._reading = Budget(MAX_READING_BYTES)
        self._runner: web.ServerRunner | None = None
        self._server: asyncio.Server | None = None
        self._expiring: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises SidecarError when the address cannot be had."""
        server = web.Server(
            self._answer,
            logger=_SILENT,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=1.0,
            auto_decompress=False,  # bounded decoding is done elsewhere
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        sock = sockets.listen(self.address)
        self.port = sock.getsockname()[1] if not self.address.is_unix else 0

        def accept() -> asyncio.Protocol:
            return server() if len(server.connections) < MAX_CONNECTIONS else _Refuse()

        loop = asyncio.get_running_loop()
        if self.address.is_unix:
            self._server = await loop.create_unix_server(accept, sock=sock)
        else:
            self._server = await loop.create_server(accept, sock=sock)
        self._expiring = loop.create_task(self._expire())

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        if self._expiring is not None:
            self._expiring.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.address.is_unix:
            sockets.remove(self.address.path)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_SECONDS)
            self._sink.expire()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("POST", "PUT"):
            return _said(HTTPStatus.METHOD_NOT_ALLOWED, "post CloudEvents here", allow="POST")
        length = request.content_length
        if length is not None and length > MAX_BODY_BYTES:
            return self._refused("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        # Without a length it may be as long as is allowed.
        reserved = MAX_BODY_BYTES if length is None else length
        if not self._reading.take(reserved):
            return self._refused("dropped", HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            try:
                body = await _body(request)
            except TimeoutError:
                return self._refused("malformed", HTTPStatus.REQUEST_TIMEOUT)
            if body is None:
                return self._refused("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            headers = {name.lower(): value for name, value in request.headers.items()}
            if self._sink.take(headers, body):
                return web.Response(status=HTTPStatus.ACCEPTED)
        finally:
            self._reading.give_back(reserved)
        return _said(HTTPStatus.BAD_REQUEST, "not a CloudEvent: binary, structured and batched mode are read")

    def _refused(self, state: str, status: HTTPStatus) -> web.Response:
        self._sink.refuse(state)
        response = _said(status, f"not taken: {state.replace('_', ' ')}")
        response.force_close()
        return response


async def _body(request: web.BaseRequest) -> bytes | None:
    """The whole body; None if it is too long. Raises TimeoutError."""
    body = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return None
    return bytes(body)


class _Refuse(asyncio.Protocol):
    """More connections than we hold: closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _said(status: HTTPStatus, text: str, allow: str = "") -> web.Response:
    headers = {"Allow": allow} if allow else {}
    return web.Response(status=status, text=f"{text}\n", headers=headers)
