"""Where Envoy's external processing filter connects to, in observability mode: one gRPC stream an exchange.

Says nothing and changes nothing: a message is read and put away, and a stream is closed as soon as its answer
has ended, because Envoy would keep it open for seconds. The trap: a filter without `observability_mode` waits
for an answer to every message and fails the exchange without one. Its streams are closed at once, which Envoy
takes for "go on without me".

Imported only when configured: grpc takes some 9 MB.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from sidecar import clock, sockets
from sidecar.address import Address
from sidecar.errors import SidecarError
from sidecar.ingest.bodies import Limits
from sidecar.ingest.ext_proc_messages import read
from sidecar.ingest.ext_proc_stream import ProcessedStream
from sidecar.ingest.intake import Intake
from sidecar.wire.limits import MIB
from sidecar.wire.pending import Accounts

log = logging.getLogger("sidecar")

SOURCE = "envoy"
_METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
# Exchanges open at one moment; each costs grpc and us some 50 KB.
MAX_STREAMS = 2_000
# Envoy's own buffer limit is 1 MiB; a piece of a body is never larger.
_MESSAGE_BYTES = 4 * MIB
# Streams that came and that we have not looked at yet. All their messages would be timed when we do: so few
# make a tenth of a second, and more are refused at random. Envoy counts those; here they never arrive.
_PENDING, _MOST_PENDING = 100, 200
_OPTIONS = (
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_metadata_size", 64 * 1024),
)
_GRACE_SECONDS = 0.5
_WAITS = (
    "Envoy waits for answers of its external processor, and this one gives none: "
    "set observability_mode: true in the ext_proc filter (its traffic goes on unobserved until then)"
)


class ExtProc:
    """The gRPC server."""

    def __init__(self, intake: Intake, address: Address, now: Callable[[], float] = clock.monotonic) -> None:
        self._intake = intake
        self.address = address
        self._now = now
        self._accounts = Accounts(Limits())
        self._server: Any = None
        self._open = 0
        self._warned = False
        self._leaving = False
        self.port = 0
        intake.introduce(SOURCE)

    async def start(self) -> None:
        """Listen. Raises SidecarError when the address cannot be had."""
        # grpc does not say why it cannot listen; our own attempt does.
        sockets.listen(self.address).close()
        if self.address.is_unix:
            sockets.remove(self.address.path)
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_Handler(self._process),))
        try:
            self.port = self._server.add_insecure_port(str(self.address))
        except RuntimeError as error:
            raise SidecarError(f"cannot listen on {self.address}: grpc refuses the address") from error
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more. What is open is unobserved."""
        self._leaving = True
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)

    async def _process(self, messages: AsyncIterator[bytes], context: Any) -> None:
        """One stream. Never answers."""
        if self._open >= MAX_STREAMS:
            self._intake.count(SOURCE, "dropped")
            return
        self._open += 1
        exchange = ProcessedStream(self._accounts)
        state = "observed"
        try:
            async for message in messages:
                said = read(message)
                if said is None:
                    state = "malformed"
                elif said.waits:
                    state = "ignored"
                    self._warn()
                    return
                else:
                    exchange.take(said, self._now())
                    if exchange.ended:
                        return
        except (asyncio.CancelledError, grpc.aio.AioRpcError, grpc.RpcError):
            pass  # Envoy has reset the stream, which is how it ends most of them
        finally:
            self._open -= 1
            self._bring(exchange, state)

    def _bring(self, stream: ProcessedStream, state: str) -> None:
        """Count what became of a stream, and give its exchange to the intake."""
        ended = stream.ended
        exchange = stream.finish(ours=self._leaving)
        if state == "ignored" or (state == "malformed" and exchange is None):
            self._intake.count(SOURCE, state)
        elif exchange is None:
            self._intake.count(SOURCE, "ignored")
        elif not self._intake.offer(exchange):
            self._intake.count(SOURCE, "dropped")
        else:
            self._intake.count(SOURCE, "observed" if ended else "unanswered")

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning(_WAITS)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The one method there is, with messages left as bytes."""

    def __init__(self, process: Any) -> None:
        self._method = grpc.stream_stream_rpc_method_handler(process)

    def service(self, details: Any) -> Any:
        return self._method if details.method == _METHOD else None
