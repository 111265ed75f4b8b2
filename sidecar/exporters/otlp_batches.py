"""Spans and records on their way to a collector: a bounded queue, and a thread that sends batches of it.

Putting never waits and never fails: without room the record is dropped and counted. A batch that the
collector cannot take now is sent again a few times while others wait behind it; then it is dropped, and
counted.

The trap: shutting down. A collector that hangs is left alone after `close`'s bound, with what was not sent.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from sidecar.exporters.otlp_health import Health
from sidecar.exporters.otlp_settings import OtlpSettings
from sidecar.exporters.otlp_transport import Refused, Transport, connect, reason

# OpenTelemetry's defaults for batches of spans; a record takes one or two kilobytes.
QUEUE_LIMIT = 2_048
BATCH_SIZE = 512
DELAY_SECONDS = 5.0
# Before each attempt after the first: half a minute in all, in which a collector is restarted.
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Codec(Protocol[T_contra]):
    """How records of one signal are written, and their answers read. A module is one."""

    def encode(self, records: Sequence[T_contra], resource: Mapping[str, str], /) -> bytes:
        """One request with these records."""

    def rejected(self, answer: bytes, /) -> int:
        """How many of them the answer says were rejected."""


class Batches(Generic[T]):
    """Sends what is put. `put` is called from one thread; `codec` loads OTLP's messages, late."""

    def __init__(
        self,
        settings: OtlpSettings,
        codec: Callable[[], Codec[T]],
        connect: Callable[[OtlpSettings], Transport] = connect,
        pauses: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self.health = Health(settings)
        self._settings = settings
        self._load = codec
        self._connect = connect
        self._pauses = pauses
        self._transport: Transport | None = None
        self._queue: deque[T] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"otlp-{settings.signal}", daemon=True)
        self._thread.start()

    def put(self, record: T) -> None:
        """Queue a record, or drop it."""
        if len(self._queue) >= QUEUE_LIMIT:
            self.health.dropped += 1
            return
        self._queue.append(record)
        if len(self._queue) == BATCH_SIZE:
            self._wake.set()

    def closing(self) -> None:
        """Send what there is, once, and take no pauses any more. Returns at once."""
        self._closing.set()
        self._wake.set()

    def close(self, seconds: float) -> None:
        """`closing`, and wait for it no longer than `seconds`; what is left then is lost."""
        self.closing()
        self._thread.join(seconds)
        if self._transport is not None:
            self._transport.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(DELAY_SECONDS)
            self._wake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._queue:
            # What is being sent again keeps its place in the queue's bound.
            batch = [self._queue[at] for at in range(min(BATCH_SIZE, len(self._queue)))]
            self._send(batch)
            for _ in batch:
                self._queue.popleft()

    def _send(self, batch: Sequence[T]) -> None:
        for pause in (*self._pauses, None):
            again = self._attempt(batch)
            if again is None:
                return
            if not again or pause is None or self._closing.wait(pause):
                break
        self.health.dropped += len(batch)

    def _attempt(self, batch: Sequence[T]) -> bool | None:
        """None if the batch arrived, else whether another attempt may help."""
        try:
            if self._transport is None:
                self._transport = self._connect(self._settings)
            codec = self._load()
            answer = self._transport.send(codec.encode(batch, self._settings.resource))
            rejected = codec.rejected(answer)
        except Refused as error:
            self.health.failed(str(error))
            return error.again
        except Exception as error:  # whatever it is, it is not worth this thread
            self.health.failed(f"{reason(str(error))} ({type(error).__name__})")
            return False
        if rejected:
            self.health.failed("it rejected a part of the data")
            self.health.dropped += rejected
        else:
            self.health.succeeded()
        return None
