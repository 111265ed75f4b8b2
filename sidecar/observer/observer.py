"""The story on one screen: chunks become exchanges, exchanges inferences, inferences metrics.

Nothing here touches a socket or a clock; `app` feeds it. Whatever a step cannot read is counted with a
reason and the story goes on: no chunk sequence makes it raise.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from sidecar import catalog
from sidecar.chunk import Chunk, Kind
from sidecar.decoders import Decoders, other_kind
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference
from sidecar.monitors.monitor import Monitor
from sidecar.observer.attribution import Attribution
from sidecar.observer.naming import Naming
from sidecar.observer.recent import Recent
from sidecar.observer.relay_totals import RelayTotals
from sidecar.observer.shedding import Shedding
from sidecar.registry import Registry
from sidecar.wire.connection import Skip, Wire

log = logging.getLogger("sidecar")


# Names leave a day after their last use; to the minute is exact enough.
_EXPIRY_SECONDS = 60.0
# Exchanges go through the steps together: a step whose code is still in the processor's cache costs a third
# less. More of them would fall out of it themselves.
_TOGETHER = 128
# Decoded, a body takes ten times its size in memory: of large ones few wait for each other.
_TOGETHER_BYTES = 256 * 1024


class Expiring(Protocol):
    """Something that holds names which leave when nobody uses them."""

    def expire(self, now: float) -> list[dict[str, str]]:
        """Forget them; returns the labels for `Registry.forget`, one dict each."""


class Observer:
    """Reads what crosses the relay and folds it into the registry."""

    def __init__(
        self, registry: Registry, attribution: Attribution, decoders: Decoders | None = None
    ) -> None:
        self.registry = registry
        self.wire = Wire()
        self.totals = RelayTotals(registry)
        self.shedding = Shedding()
        self.recent = Recent(attribution.sources)
        self.naming: Naming | None = None
        self.monitors: Sequence[Monitor] = ()
        self.expiring: Sequence[Expiring] = (attribution,)
        self._attribution = attribution
        self._decoders = decoders or Decoders()
        self._next_expiry = 0.0
        self._other = registry.counter(catalog.OTHER_EXCHANGES)
        for kind in catalog.OTHER_KINDS:
            self._other.add(0, kind)
        self._unobserved = registry.counter(catalog.UNOBSERVED)
        self._connections = registry.gauge(catalog.CONNECTIONS)
        registry.before_snapshot(self._count_connections)

    def feed(self, chunks: Iterable[Chunk]) -> None:
        """Take the chunks of one read of a link, in their order."""
        done: list[Exchange] = []
        size = 0
        try:
            for chunk in chunks:
                if chunk.kind is Kind.STATS:
                    self.relay_said(chunk.meta, chunk.time)
                    continue
                for exchange in self.wire.feed(chunk):
                    done.append(exchange)
                    size += len(exchange.request.data) + len(exchange.response.data)
                if len(done) >= _TOGETHER or size >= _TOGETHER_BYTES:
                    ready, done, size = done, [], 0
                    self.observe_all(ready)
        finally:  # a link may break in the middle of a read
            self.observe_all(done)

    def relay_said(self, report: dict[str, Any], time: float) -> None:
        """A relay worker's totals, as of monotonic `time`."""
        if self.totals.report(report):
            self.shedding.dropped(time)

    def observe(self, exchange: Exchange) -> None:
        """Take one exchange, from elsewhere than the wire."""
        self.observe_all((exchange,))

    def observe_all(self, exchanges: Iterable[Exchange]) -> None:
        """Take some exchanges, in their order."""
        read = [(exchange, inference) for exchange in exchanges if (inference := self._read(exchange))]
        for monitor in self.monitors:
            observe = monitor.observe
            for exchange, inference in read:
                observe(exchange, inference)

    def _read(self, exchange: Exchange) -> Inference | None:
        """What an exchange meant and whose it is; None if it is not inference."""
        claim = self._decoders.claim(exchange.method, exchange.target, exchange.request_headers)
        if claim is None:
            self._count_other(exchange)
            return None
        read = self._decoders.decode if self.shedding.decoding else self._decoders.unread
        inference = read(exchange, claim)
        said = inference.model
        self._attribution.attribute(exchange, inference)
        if self.naming is not None:
            self.naming.name(inference)
        self.recent.add(exchange, inference, said)
        return inference

    def link_lost(self, worker: int, now: float) -> None:
        """The link to a relay worker broke: what was open there is unobserved until announced anew."""
        self.observe_all(self.wire.link_lost(worker, now))

    def tick(self, now: float) -> None:
        """Time has passed."""
        self.observe_all(self.wire.tick(now))
        for monitor in self.monitors:
            monitor.tick(now)
        if now >= self._next_expiry:
            self._next_expiry = now + _EXPIRY_SECONDS
            self._expire(now)

    def open_models(self, now: Callable[[], float]) -> Iterator[str]:
        """The model name of every inference exchange that is open."""
        for request in self.wire.open_exchanges():
            claim = self._decoders.claim(request.method, request.target, request.request_headers)
            if claim is not None:
                yield self._attribution.model_of(claim.model.name, request.route, now())

    def wanted(self) -> list[Skip]:
        """Hints for the relay: what need not be copied."""
        return self.wire.wanted()

    def _expire(self, now: float) -> None:
        for holder in self.expiring:
            for labels in holder.expire(now):
                self.registry.forget(**labels)

    def _count_other(self, exchange: Exchange) -> None:
        """Not inference, or not known to be: a lost exchange may have been either."""
        if exchange.outcome is Outcome.UNOBSERVED:
            self._unobserved.add(1)
        elif exchange.method:
            kind = other_kind(exchange.method, exchange.target)
            self._other.add(1, kind)
            self.recent.add_other(exchange, kind)

    def _count_connections(self) -> None:
        now = self.wire.connections()
        for state in catalog.CONNECTIONS.closed["state"]:
            for protocol in catalog.CONNECTIONS.closed["protocol"]:
                self._connections.set(now[state, protocol], state, protocol)
