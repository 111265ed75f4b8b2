"""From evidence to verdicts, for one model: what is an event, a ticket, a page, and when it is over.

Event: a change was detected. Ticket: and soon after the recent mean is further from the baseline than the
gate, in several batches. Page: a severe break, or a ticket that a second uncorrelated feature or an
output corroborates. A verdict holds until the signal has been back for some batches; then it cools down.

The trap: one cause moves many columns. Once a page stands, further tickets stay tickets: the incident is
known, and one is enough to wake somebody.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sidecar.monitors.drift_evidence import RECENT_BATCHES, Evidence
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_pace import Pace
from sidecar.monitors.drift_scores import distances
from sidecar.monitors.drift_signals import Signals
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.reference import Reference

# An event whose effect has not passed the gate after 16 batches (1,024 rows) was too small to mind.
EVENT_BATCHES = 16
# Features that move together are one piece of evidence.
CORRELATED = 0.5
# The newest verdicts that are over, for the status page.
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be shortened for a demo or a test. Defaults from the study in docs/drift.md.

    `burn_in` 80 batches is 5,000 rows: the mean is then known to .014 sd. `recovered` 4 batches in a
    row back within half the gate. `cooldown`: a column whose ticket ended is silent for
    10,000 rows or an hour, whichever is over first.
    `corroboration_rows`: two tickets within 10,000 rows are one story.
    """

    pace: Pace = Pace()
    burn_in: int = 80
    recovered: int = 4
    cooldown_rows: int = 10_000
    cooldown_seconds: float = 3600.0
    corroboration_rows: int = 10_000


class Judge:
    """The verdicts about one model. Feed it micro-batches of its layout's counts, in order."""

    def __init__(
        self, model: str, reference: Reference, settings: Settings, tell: Callable[[Verdict], None]
    ) -> None:
        self.reference = reference
        self.layout = DriftLayout(reference)
        self.signals = Signals(self.layout)
        self.evidence = Evidence(self.signals, self.layout.size, settings.burn_in)
        self.rows = 0
        self.past: deque[Verdict] = deque(maxlen=REMEMBERED)
        self.standing: dict[int, Verdict] = {}
        self._model = model
        self._settings = settings
        self._tell = tell
        self._pending: dict[int, int] = {}  # signal -> last batch at which its event may become a ticket
        self._back: dict[int, int] = {}  # signal under a verdict -> batches it has been back for
        self._cooling: dict[int, tuple[int, float]] = {}  # column -> row and time at which it may speak again
        self._starts: deque[tuple[int, float]] = deque(maxlen=RECENT_BATCHES)

    def take(self, counts: Counts, rows: int, began: float, time: float, *, may_page: bool) -> None:
        """Judge one micro-batch of `rows` rows that arrived between two times."""
        self._starts.append((self.rows, began))
        self.rows += rows
        was_settled = self.evidence.settled
        changed = self.evidence.update(counts)
        for signal in changed:
            self._event(signal, time, "the mean of its scores changed")
        self._severe_breaks(time, may_page)
        if self.evidence.settled and not was_settled:
            self._settle()
        if self._pending:
            self._tickets(time)
        if may_page and self.standing:
            self._corroborate(time)
        if self.standing:
            self._recover(time)

    def level_of(self, column: int) -> Level | None:
        """The loudest verdict that stands for a column of the layout."""
        levels = {v.level for at, v in self.standing.items() if self.signals.all[at].column == column}
        return next((level for level in (Level.PAGE, Level.TICKET) if level in levels), None)

    def waits(self) -> dict[str, Any]:
        """What is neither evidence nor verdict: what waits, and for how long."""
        return {
            "pending": list(self._pending.items()),
            "back": list(self._back.items()),
            "cooling": [[column, row, moment] for column, (row, moment) in self._cooling.items()],
            "starts": list(self._starts),
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
        if any(not 0 <= signal < len(self.signals) for signal in (*pending, *back)):
            raise ValueError("a signal that is not there")
        self.rows, self.standing = rows, standing
        self.past.extend(past)
        self._pending, self._back, self._cooling = pending, back, cooling
        self._starts.extend(starts)

    def _severe_breaks(self, time: float, may_page: bool) -> None:
        severe = self.evidence.severe()
        if not severe.any():
            return
        level = Level.PAGE if may_page else Level.TICKET
        for signal in np.flatnonzero(severe).tolist():
            standing = self.standing.get(signal)
            if standing is None:
                if signal not in self._pending:
                    self._event(signal, time, "a severe break")
                self._raise(signal, level, time, "a severe break: every recent batch is far off")
            elif may_page and standing.level is Level.TICKET and self.evidence.severe_throughout(signal):
                self._raise(signal, level, time, "became severe: all recent batches together are far off")

    def _event(self, signal: int, time: float, why: str) -> None:
        self._pending[signal] = self.evidence.batches + EVENT_BATCHES
        self._raise(signal, Level.EVENT, time, why)

    def _settle(self) -> None:
        held = np.zeros(len(self.signals), dtype=bool)
        held[list(self.standing)] = True
        self.evidence.settle(held)

    def _tickets(self, time: float) -> None:
        self._pending = {s: until for s, until in self._pending.items() if until >= self.evidence.batches}
        if not self.evidence.settled:
            return
        beyond = self.evidence.beyond_gate()
        for signal in [s for s in self._pending if beyond[s] and s not in self.standing]:
            if self.evidence.spread(signal) and self._may_speak(self.signals.all[signal].column, time):
                self._raise(signal, Level.TICKET, time, "changed, and by more than the gate")

    def _may_speak(self, column: int, time: float) -> bool:
        row, moment = self._cooling.get(column, (0, float("-inf")))
        return self.rows >= row or time >= moment

    def _corroborate(self, time: float) -> None:
        if any(v.level is Level.PAGE for v in self.standing.values()):
            return
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
        return a.kind == "feature" and abs(self.evidence.correlation(a.column, b.column)) < CORRELATED

    def _page_both(self, one: int, other: int, time: float) -> None:
        for signal, witness in ((one, other), (other, one)):
            name, kind = self.signals.all[witness].name, self.signals.all[witness].kind
            self._raise(signal, Level.PAGE, time, f"corroborated by the {kind} {name}")

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
        psi = distances(self.layout, self.evidence.window).psi[it.column]
        return Verdict(
            self._model, it.kind, it.name, it.signal, level, it.effect.unit, self.rows - 1, time, since_row,
            since_time, float(self.evidence.baseline[signal]), self.evidence.mean(signal, lasting),
            float(psi), why,
        )  # fmt: skip

    def verdicts(self) -> Iterable[Verdict]:
        """Those that are over, oldest first, then those that stand."""
        return [*self.past, *self.standing.values()]
