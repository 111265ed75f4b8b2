"""From evidence to verdicts, for one model: what is an event, a ticket, a page, and when it is over.

Event: a change was detected, or bet on for certain. Ticket: and soon after the recent mean is further from
the baseline than the gate, in several batches. Page: a severe break, or a ticket that a second uncorrelated
feature or an output corroborates. A verdict holds until the signal has been back for some batches; then it
cools down.

The trap: one cause moves many columns. Once a page stands, further tickets stay tickets: the incident is
known, and one is enough to wake somebody.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from sidecar.monitors.drift_budget import BatchRate, evidence_needed
from sidecar.monitors.drift_evidence import Evidence
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_pace import Pace
from sidecar.monitors.drift_recent import RECENT_BATCHES
from sidecar.monitors.drift_scores import distances, largest_moves
from sidecar.monitors.drift_signals import Mask, Signals
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import YEAR_SECONDS
from sidecar.reference import Reference

# An event whose effect has not passed the gate after 16 batches (1,024 rows) was too small to mind.
EVENT_BATCHES = 16
# A change that is no chance but in one of 100,000 batches a model: .2 in a million rows, before any gate.
TICKET_EVIDENCE = log(100_000)
# Features that move together are one piece of evidence.
CORRELATED = 0.5
# The newest verdicts that are over, for the status page.
REMEMBERED = 256
# A batch of fewer requests than these may be one odd client's: a single one is then not enough to page.
MIN_ARRIVALS = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be shortened for a demo or a test. Defaults from the study in docs/drift.md.

    `burn_in` 80 batches is 5,000 rows: the mean is then known to .014 sd. `recovered` 4 batches in a
    row back within half the gate. `cooldown`: a column whose ticket ended is silent for
    10,000 rows or an hour, whichever is over first.
    `corroboration_rows`: two tickets within 10,000 rows are one story. `wall` gives the seconds since the
    epoch of a batch's time; without it, or where it is not known, there are no hours, and no seasons.
    `remember` what a saved state needs (2 kB a feature); without it there is none to be saved after burn-in.
    """

    pace: Pace = Pace()
    burn_in: int = 80
    recovered: int = 4
    cooldown_rows: int = 10_000
    cooldown_seconds: float = 3600.0
    corroboration_rows: int = 10_000
    wall: Callable[[float], float | None] | None = None
    remember: bool = True


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator allows: pages at all, and one false one in so many seconds of this replica.

    `quality_fell`: labels show that predictions have become worse, and so a ticket is enough for a page.
    `parts`: of the false tickets of a model this judge may have one in so many.
    """

    page: bool = True
    seconds: float = YEAR_SECONDS
    quality_fell: bool = False
    parts: float = 1.0


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Rows judged at once: how many, in how many requests, from when to when (monotonic).

    `span`: from which row of the model to before which they were found, None where they are all its rows.
    """

    rows: int
    arrivals: int
    began: float
    time: float
    span: tuple[int, int] | None = None


class Judge:
    """The verdicts about one model. Feed it micro-batches of its layout's counts, in order."""

    def __init__(
        self, model: str, reference: Reference, settings: Settings, tell: Callable[[Verdict], None]
    ) -> None:
        self.reference = reference
        self.layout = DriftLayout(reference)
        self.signals = Signals(self.layout)
        self.evidence = Evidence(self.layout, self.signals, settings.burn_in, remember=settings.remember)
        self.rate = BatchRate()
        self.rows = 0
        self.past: deque[Verdict] = deque(maxlen=REMEMBERED)
        self.standing: dict[int, Verdict] = {}
        self._model = model
        self._settings = settings
        self._tell = tell
        self._pending: dict[int, int] = {}  # signal -> last batch at which its event may become a ticket
        self._backed: frozenset[int] = frozenset()
        self._back: dict[int, int] = {}  # signal under a verdict -> batches it has been back for
        self._cooling: dict[int, tuple[int, float]] = {}  # column -> row and time at which it may speak again
        self._starts: deque[tuple[int, float]] = deque(maxlen=RECENT_BATCHES)

    def take(self, counts: Counts, batch: MicroBatch, allowed: Allowed) -> None:
        """Judge one micro-batch."""
        first, self.rows = batch.span or (self.rows, self.rows + batch.rows)
        self._starts.append((first, batch.began))
        time = batch.time
        self.rate.count(time)
        needed = self.evidence_needed(allowed, time)
        was_settled = self.evidence.settled
        most = np.inf if batch.arrivals >= MIN_ARRIVALS else needed / 2
        began = self.evidence.seasons.in_use
        wall = None if self._settings.wall is None else self._settings.wall(time)
        changed = self.evidence.update(counts, most, wall, self.standing.keys())
        if self.evidence.seasons.in_use and not began:
            self._pending.clear()  # what waited was about means without hours
        for signal in changed:
            self._event(signal, time, "the mean of its scores changed")
        self._severe_breaks(time, needed, allowed.page)
        if self.evidence.settled and not was_settled:
            self._settle()
        self._tickets(time, TICKET_EVIDENCE + log(allowed.parts))
        if allowed.page and self.standing:
            self._corroborate(time, needed)
            if allowed.quality_fell:
                self._page_with_quality(time)
        if self.standing:
            self._recover(time)

    def evidence_needed(self, allowed: Allowed, time: float) -> float:
        """Nats that a page needs now."""
        return evidence_needed(allowed.seconds, self.rate.a_second(self._settings.pace, time))

    def level_of(self, column: int) -> Level | None:
        """The loudest verdict that stands for a column of the layout."""
        levels = {v.level for at, v in self.standing.items() if self.signals.all[at].column == column}
        return next((level for level in (Level.PAGE, Level.TICKET) if level in levels), None)

    def moved(self) -> Mask:
        """The columns, as a mask, of which something changed or is further off than the gate."""
        far = np.flatnonzero(self.evidence.beyond_gate())
        signals = [*self.standing, *self._pending, *far.tolist()]
        found = np.zeros(len(self.layout.columns), dtype=bool)
        found[self.signals.column_of[signals]] = True
        return found

    def waits(self) -> dict[str, Any]:
        """What is neither evidence nor verdict: what waits, and for how long."""
        return {
            "pending": list(self._pending.items()),
            "back": list(self._back.items()),
            "cooling": [[column, row, moment] for column, (row, moment) in self._cooling.items()],
            "starts": list(self._starts),
            "rate": [self.rate.batches, self.rate.since],
            "backed": sorted(self._backed),
        }

    def go_on(
        self,
        rows: int,
        past: Iterable[Verdict],
        standing: dict[int, Verdict],
        waits: Mapping[str, Any],
        moved: Callable[[float], float],
    ) -> None:
        """Take over what was saved; `moved` makes its times ours. Raises TypeError, ValueError, KeyError."""
        pending = {int(signal): int(until) for signal, until in waits["pending"]}
        back = {int(signal): int(batches) for signal, batches in waits["back"]}
        cooling = {int(c): (int(row), moved(float(moment))) for c, row, moment in waits["cooling"]}
        starts = [(int(row), moved(float(moment))) for row, moment in waits["starts"]]
        backed = frozenset(int(signal) for signal in waits["backed"])
        batches, since = waits["rate"]
        rate = BatchRate(float(batches), None if since is None else moved(float(since)))
        if any(not 0 <= signal < len(self.signals) for signal in (*pending, *back)):
            raise ValueError("a signal that is not there")
        self.rows, self.standing, self.rate = rows, standing, rate
        self.past.extend(past)
        self._pending, self._back, self._cooling, self._backed = pending, back, cooling, backed
        self._starts.extend(starts)

    def _severe_breaks(self, time: float, needed: float, may_page: bool) -> None:
        level = Level.PAGE if may_page else Level.TICKET
        for signal in self.evidence.bets.severe(needed):
            standing = self.standing.get(signal)
            if standing is None:
                if signal not in self._pending:
                    self._event(signal, time, "a severe break")
                self._raise(signal, level, time, "a severe break")
            elif may_page and standing.level is Level.TICKET:
                self._raise(signal, level, time, "became a severe break")

    def _event(self, signal: int, time: float, why: str) -> None:
        self._pending[signal] = self.evidence.batches + EVENT_BATCHES
        self._raise(signal, Level.EVENT, time, why)

    def _settle(self) -> None:
        held = np.zeros(len(self.signals), dtype=bool)
        held[list(self.standing)] = True
        self.evidence.settle(held)

    def _tickets(self, time: float, needed: float) -> None:
        self._pending = {s: until for s, until in self._pending.items() if until >= self.evidence.batches}
        if not self.evidence.settled:
            return
        self._back_up(time, needed)
        if not self._pending:
            return
        beyond = self.evidence.beyond_gate()
        for signal in [s for s in self._pending if beyond[s] and s not in self.standing]:
            if self.evidence.spread(signal) and self._may_speak(self.signals.all[signal].column, time):
                self._raise(signal, Level.TICKET, time, "changed, and by more than the gate")

    def _back_up(self, time: float, needed: float) -> None:
        """What the bets are sure of waits for the gate as a detected change does, while they are."""
        backed = self.evidence.bets.backed(needed)
        for signal in backed:
            if signal not in self._backed and signal not in self._pending and signal not in self.standing:
                self._event(signal, time, "evidence of a small change")
            self._pending[signal] = self.evidence.batches + EVENT_BATCHES
        self._backed = frozenset(backed)

    def _may_speak(self, column: int, time: float) -> bool:
        row, moment = self._cooling.get(column, (0, float("-inf")))
        return self.rows >= row or time >= moment

    def _corroborate(self, time: float, needed: float) -> None:
        if len(self.standing) < 2 or any(v.level is Level.PAGE for v in self.standing.values()):
            return
        if self.evidence.bets.gradual() < needed:
            return  # two tickets by chance would cost the budget
        tickets = list(self.standing)
        for i, one in enumerate(tickets):
            for other in tickets[:i]:
                if self._corroborates(one, other):
                    self._page_both(one, other, time)
                    return

    def _corroborates(self, one: int, other: int) -> bool:
        a, b = self.signals.all[one], self.signals.all[other]
        apart = abs(self.standing[one].row - self.standing[other].row)
        if a.column == b.column or apart > self._settings.corroboration_rows:
            return False
        if a.kind != b.kind:
            return True
        return a.kind == "feature" and abs(self._correlation(a.column, b.column)) < CORRELATED

    def _correlation(self, column: int, other: int) -> float:
        return self.evidence.heard.correlation(column, other, self.evidence.batches)

    def _page_both(self, one: int, other: int, time: float) -> None:
        for signal, witness in ((one, other), (other, one)):
            name, kind = self.signals.all[witness].name, self.signals.all[witness].kind
            self._raise(signal, Level.PAGE, time, f"corroborated by the {kind} {name}")

    def _page_with_quality(self, time: float) -> None:
        if not any(verdict.level is Level.PAGE for verdict in self.standing.values()):
            oldest = min(self.standing, key=lambda signal: self.standing[signal].row)
            self._raise(oldest, Level.PAGE, time, "corroborated by the quality, which fell")

    def _recover(self, time: float) -> None:
        calm = self.evidence.calm()
        for signal in list(self.standing):
            self._back[signal] = self._back.get(signal, 0) + 1 if calm[signal] else 0
            if self._back[signal] >= self._settings.recovered:
                self._end(signal, time)
                column = self.signals.all[signal].column
                until = self.rows + self._settings.cooldown_rows, time + self._settings.cooldown_seconds
                self._cooling[column] = until

    def _end(self, signal: int, time: float) -> None:
        verdict = self.standing.pop(signal)
        verdict.ended_row, verdict.ended_time = self.rows - 1, time
        self.past.append(verdict)
        self._back.pop(signal, None)

    def _raise(self, signal: int, level: Level, time: float, why: str) -> None:
        verdict = self._verdict(signal, level, time, why)
        if level is Level.EVENT:
            self.past.append(verdict)
        else:
            if signal in self.standing:
                self._end(signal, time)  # it goes on, louder
                verdict.since_row, verdict.since_time = self.past[-1].since_row, self.past[-1].since_time
            self.standing[signal] = verdict
        self._tell(verdict)

    def _verdict(self, signal: int, level: Level, time: float, why: str) -> Verdict:
        it = self.signals.all[signal]
        lasting = min(max(self.evidence.lasting(signal), 1), len(self._starts))
        since_row, since_time = self._starts[-lasting]
        # Of the rows since the change: the window as a whole is still of before.
        counts = self.evidence.counts(lasting)
        psi = distances(self.layout, counts).psi[it.column]
        return Verdict(
            self._model, it.kind, it.name, it.signal, level, it.effect.unit, self.rows - 1, time, since_row,
            since_time, float(self.evidence.expected[signal]), self.evidence.mean(signal, lasting),
            float(psi), why, largest_moves(self.layout, counts, it.column),
            self.evidence.bets.evidence(it.column),
        )  # fmt: skip

    def verdicts(self) -> Iterable[Verdict]:
        """Those that are over, oldest first, then those that stand."""
        return [*self.past, *self.standing.values()]
