"""Recorded exchanges through the whole pipeline that live ones take: decoders, attribution, monitors.

The clock is the recording's own, so that a replay of an hour takes seconds and says the same every time.
The trap: here rows arrive with the exchanges that brought them, and a micro-batch lasts at least a second of
recorded time, as it does live; a file of rows has no such times (`rows`).
"""

from collections.abc import Mapping

from sidecar import catalog
from sidecar.config import Settings
from sidecar.exchange import Exchange
from sidecar.monitors.quality_problems import Problem
from sidecar.observer.pipeline import Pipeline
from sidecar.replay.findings import Findings
from sidecar.replay.quality import Found, Heard

# As often as the live observer looks at what waits.
_TICK_SECONDS = 0.25


class ExchangeReplay:
    """Feed exchanges in order with `feed`, then `finish`; `findings` has what came of them."""

    def __init__(self, settings: Settings, chunk_rows: int) -> None:
        self.exchanges = 0
        self._now = 0.0
        self._next_tick = 0.0
        self._pipeline = Pipeline(settings, lambda: self._now)
        self.findings = Findings(self._pipeline.references, chunk_rows)
        self.findings.listen(self._pipeline.drift)
        self._heard = Heard()
        problems = self._pipeline.problems
        problems.on_begin = lambda problem: self._heard.began(problem, self._row(problem))
        problems.on_end = lambda problem, now: self._heard.ended(problem, self._row(problem))

    def feed(self, exchange: Exchange) -> None:
        """Take one exchange; its times say when it is."""
        self._now = max(self._now, exchange.timings.last)
        if self._now >= self._next_tick:
            self._pipeline.observer.tick(self._now)
            self._next_tick = self._now + _TICK_SECONDS
        self._pipeline.observer.observe(exchange)
        self.exchanges += 1

    def finish(self) -> None:
        """No more exchanges: judge the rows that wait."""
        self._pipeline.rows.flush()
        self.findings.close()

    @property
    def problems(self) -> list[Found]:
        """What broke, in the order it was seen; a row is one of its model's."""
        return self._heard.found

    @property
    def rows(self) -> int:
        """Rows of all models, decoded."""
        return int(self._pipeline.registry.value(catalog.ROWS.name))

    @property
    def undecoded(self) -> int:
        """Exchanges that are inference, but could not be read."""
        return int(self._pipeline.registry.value(catalog.UNDECODED.name))

    @property
    def learning(self) -> Mapping[str, int]:
        """Rows of the models that have no reference yet."""
        status = self._pipeline.references.status()
        return {model: state.rows_seen for model, state in status.items() if not state.ready}

    def _row(self, problem: Problem) -> int:
        """The newest row of its model, those that were refused counted too."""
        rows = self._pipeline.registry.counter(catalog.ROWS).values
        return int(sum(count for labels, count in rows.items() if labels[0] == problem.model)) - 1
