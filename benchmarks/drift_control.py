"""False alarms in control: what is said about rows that do not change, with bounds of what that proves.

Counts of rare things are Poisson: none in 2 million rows says only "less than 1.5 a million" (95 %). So rows
are of many models, each with a reference and a burn-in of its own (how well a model is known is luck, and
belongs to the promise), and the table has the exact upper bound beside the rate. The trap: the monitor sees
ranks, so lognormal rows of the seed of normal ones would be the same rows; every kind has its own seeds.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from benchmarks.drift_streams import CYCLE, Stream, batch, in_pieces, monitor, reference
from sidecar.monitors.drift_joint import Joint
from sidecar.monitors.drift_verdict import Level, Verdict

COLUMNS = 30
# Tickets and pages per million rows of 30 features.
CONTROL = {
    "normal": (0.5, 0.1), "t3": (0.5, 0.1), "lognormal": (0.5, 0.1), "ar.5": (0.5, 0.1), "ar.9": (3.0, 1.0),
    "season with slots": (0.5, 0.1),
}  # fmt: skip
FIRST_DAYS = (3.0, 0.2)  # of seasons that are not known yet
KNOWN_AFTER = 2.3  # days, with some hours for the third to begin
_SEEDS_APART = 1_000  # between kinds
_SURE = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, and whether it reaches its target."""

    name: str
    met: bool
    text: str


@dataclass(slots=True)
class Tally:
    """What was said about so many rows of one kind, and the processor seconds judging them took."""

    kind: str
    allowed: tuple[float, float]
    rows: int = 0
    events: int = 0
    tickets: int = 0
    pages: int = 0
    seconds: float = 0.0
    judged: int = 0

    def hear(self, said: list[Verdict], rows: int) -> None:
        """Add the verdicts about `rows` rows."""
        events, tickets, pages = (sum(v.level is level for v in said) for level in Level)
        self.rows, self.events = self.rows + rows, self.events + events
        self.tickets, self.pages = self.tickets + tickets, self.pages + pages

    def line(self) -> Line:
        """Counts, what they are a million rows, and the most they may be at 95 %."""
        per = 1e6 / self.rows
        pairs = tuple(zip((self.tickets, self.pages), self.allowed, strict=True))
        met = all(found * per <= most for found, most in pairs)
        proved = all(upper_bound(found) * per <= most for found, most in pairs)
        figures = "".join(f"{found:>9,}{upper_bound(found) * per:>9.3f}" for found, _ in pairs)
        goal = f"{self.allowed[0]:g} / {self.allowed[1]:g}"
        verdict = "proved" if proved else "not contradicted" if met else "MISSED"
        speed = f"{self.seconds / self.judged * 1e6:>7.2f}" if self.judged else " " * 7
        text = f"{self.kind:<22}{self.rows:>12,}{self.events:>8,}{figures}{goal:>12}{speed}  {verdict}"
        return Line(self.kind, met, text)


HEADER = (
    f"{'in control':<22}{'rows':>12}{'events':>8}{'tickets':>9}{'<= /1M':>9}{'pages':>9}{'<= /1M':>9}"
    f"{'goal /1M':>12}{'us/row':>7}"
)


def upper_bound(found: int, chance: float = _SURE) -> float:
    """The mean of a Poisson count of which `found` or fewer come with this chance: exact, by bisection."""
    low, high = 0.0, 10.0 + 3 * found
    for _ in range(60):
        middle = (low + high) / 2
        term = share = exp(-middle)
        for k in range(1, found + 1):
            term *= middle / k
            share += term
        low, high = (middle, high) if share > chance else (low, middle)
    return high


def in_control(
    rows: int, seed: int, kinds: tuple[str, ...] = tuple(CONTROL), models: int = 1
) -> Iterator[list[Line]]:
    """Verdicts about `rows` rows of each of so many models of every kind; all lines, after every model."""
    tallies = {kind: Tally(kind, CONTROL[kind]) for kind in kinds}
    for model in range(models):
        for kind in kinds:
            own = seed + _SEEDS_APART * list(CONTROL).index(kind) + model
            _one_model(tallies[kind], rows, own)
        yield [tally.line() for tally in tallies.values()]


def leave_out_joint() -> None:
    """From now on joint drift, half of the time, hears nothing: it never pages, nor moves the rest."""
    Joint.add = Joint.take = lambda *_: None  # type: ignore[assignment,method-assign]


def _one_model(tally: Tally, rows: int, seed: int) -> None:
    slots = tally.kind == "season with slots"
    stream, said = Stream(tally.kind, COLUMNS, seed), list[Verdict]()
    # Whole days of a season, or the reference would be of one part of the day.
    drift = monitor(reference(stream.draw(2 * CYCLE)), said, slots=slots)
    known = int(KNOWN_AFTER * CYCLE) if slots else 0
    for first, count in in_pieces(stream, rows + known):
        portion = batch(stream.draw(count), first)
        began = time.process_time()
        drift.fold(portion)
        tally.seconds += time.process_time() - began
    tally.judged += rows + known
    counted = [v for v in said if v.row >= known]
    tally.hear(counted, rows)
    for verdict in counted:
        if verdict.level is not Level.EVENT:
            print(f"{tally.kind}, seed {seed}: {verdict.line()}", file=sys.stderr, flush=True)


def first_days(days: int, seed: int) -> Line:
    """Verdicts of seasons that are not known yet: the first two days of models that all start anew."""
    tally, rows = Tally("season, first 2 days", FIRST_DAYS), int(1.9 * CYCLE)
    for day in range(days):
        stream, said = Stream("season", COLUMNS, seed + day), list[Verdict]()
        drift = monitor(reference(stream.draw(2 * CYCLE)), said, slots=True)
        for first, count in in_pieces(stream, rows):
            drift.fold(batch(stream.draw(count), first))
        tally.hear(said, rows)
    return tally.line()
