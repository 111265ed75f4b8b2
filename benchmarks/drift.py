"""Drift: false alarms, delays and cost of the shipped monitor, on seeded synthetic streams.

    .venv/bin/python benchmarks/drift.py [--rows 200000] [--repeats 12] [--seed 0]

In control: 30 features, verdicts per million rows. Changes: one of four features changes after 10,000 rows,
at a random phase of the micro-batch; median rows to the first ticket and page, and how often each came.
What it is not: the whole evaluation; seasons, ramps, categories and outputs are still to come.

Measured once with --rows 1000000 --repeats 20 --seed 7000, after the thresholds were set; they were set
looking at seeds 0-2 (in control) and 100-111 (changes). 2 shared cores, Python 3.11, river 0.26.1, numpy 2.4.
One million rows a kind: 0 found leaves up to 3 per million possible (95 %).

    in control, per 1M rows   events  tickets  pages     3.9-4.2 us a row (fold of clean batches of 5,000)
    normal, lognormal, AR .5  0       0        0
    t3                        1       0        0
    AR .9                     6       1        5         too many: the goal is 3 tickets, 1 page

    change     ticket        page             change          ticket        page
    +.1 sd     5,721 (65 %)  -                nulls 0 -> 1 %  587           -
    +.25 sd    1,368         -                nulls 0 -> 5 %  254           -
    +.5 sd     682           -                nulls 0 -> 20 % -             131
    +1 sd      598 (90 %)    154              constant        535           154
    +2 sd      -             113              unit x1000      -             108
    sd x1.25   1,055         -                AR .5, +.5 sd   938           -
    sd x1.5    620 (90 %)    1,262 (35 %)     AR .9, +1 sd    979 (85 %)    1,408
    sd x2      -             153
    sd x.5     603           -

State is 14 kB a feature as Python counts it, 5 of them scores kept for a restart; the
windows of river, which it cannot see, come on top.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from sidecar.batch import Batch, CleanColumn, State
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Reference
from sidecar.registry import Registry

Rows = np.ndarray
Nulls = Rows | None
Change = Callable[[Rows, np.random.Generator], tuple[Rows, Nulls]]

CHUNK = 5_000
BEFORE = 10_000


class Stream:
    """Rows of one kind, in control; autoregressive kinds go on where they were."""

    def __init__(self, kind: str, columns: int, seed: int) -> None:
        self.kind = kind
        self.random = np.random.default_rng(seed)
        self._last = self.random.normal(size=columns)
        self._columns = columns

    def draw(self, rows: int) -> Rows:
        """The next rows."""
        shape = rows, self._columns
        if self.kind == "t3":
            return self.random.standard_t(3, size=shape)
        if self.kind == "lognormal":
            return self.random.lognormal(size=shape)
        noise = self.random.normal(size=shape)
        return self._autoregress(noise, float(self.kind[2:])) if self.kind.startswith("ar") else noise

    def _autoregress(self, noise: Rows, phi: float) -> Rows:
        noise *= np.sqrt(1 - phi**2)
        for at in range(len(noise)):
            self._last = noise[at] = phi * self._last + noise[at]
        return noise


def reference(rows: Rows) -> Reference:
    """A reference of features f0, f1 …"""
    builder = ProfileBuilder()
    builder.add(len(rows), {f"f{i}": rows[:, i] for i in range(rows.shape[1])})
    return builder.reference()


def batch(rows: Rows, nulls: Nulls = None) -> Batch:
    """A batch; `nulls` are the rows in which f0 is null."""
    features = {}
    for i in range(rows.shape[1]):
        states, numbers = np.zeros(len(rows), dtype=np.uint8), rows[:, i]
        if i == 0 and nulls is not None:
            states[nulls], numbers = State.NULL, np.where(nulls, np.nan, numbers)
        features[f"f{i}"] = CleanColumn(f"f{i}", ColumnType.NUMBER, states, numbers=numbers)
    return Batch("m", "1", len(rows), 0.0, 0.0, features)


def monitor(given: Reference, said: list[Verdict]) -> Drift:
    """The shipped monitor, offline pace."""
    references = LearntReferences(default=given)
    return Drift(Registry(), references, Policies(), Settings(pace=OFFLINE), said.append)


def in_control(kind: str, rows: int, seed: int) -> None:
    """Print verdicts per million rows of 30 features, and the time a row costs."""
    stream, said = Stream(kind, 30, seed), list[Verdict]()
    drift = monitor(reference(stream.draw(15_000)), said)
    spent = 0.0
    for _ in range(0, rows, CHUNK):
        portion = batch(stream.draw(CHUNK))
        began = time.process_time()
        drift.fold(portion)
        spent += time.process_time() - began
    rates = [sum(v.level is level for v in said) * 1e6 / rows for level in Level]
    print(
        f"{kind:<12}{rates[0]:>10.1f}{rates[1]:>10.1f}{rates[2]:>10.1f}{spent / rows * 1e6:>12.2f}",
        flush=True,
    )


def delays(name: str, kind: str, change: Change, repeats: int, first_seed: int) -> None:
    """Print the median rows to a ticket and to a page."""
    found: dict[Level, list[int]] = {Level.TICKET: [], Level.PAGE: []}
    early = 0
    for seed in range(repeats):
        stream, said = Stream(kind, 4, first_seed + 100 + seed), list[Verdict]()
        drift = monitor(reference(stream.draw(15_000)), said)
        begin = BEFORE + int(stream.random.integers(64))
        drift.fold(batch(stream.draw(begin)))
        drift.fold(batch(*change(stream.draw(10_000), stream.random)))
        early += any(v.row < begin for v in said if v.level is not Level.EVENT)
        for level, rows in found.items():
            rows += [v.row - begin + 1 for v in said if v.level is level and v.row >= begin][:1]
    shown = [f"{np.median(r):.0f} ({len(r) / repeats:.0%})" if r else "-" for r in found.values()]
    print(f"{name:<26}{shown[0]:>16}{shown[1]:>16}{early:>10}", flush=True)


def shift(deviations: float, scale: float = 1.0) -> Change:
    """f0 times `scale`, then moved."""

    def change(rows: Rows, _: np.random.Generator) -> tuple[Rows, Nulls]:
        rows[:, 0] = rows[:, 0] * scale + deviations
        return rows, None

    return change


def nulls(share: float) -> Change:
    """A share of f0 is null."""
    return lambda rows, random: (rows, random.random(len(rows)) < share)


CHANGES: list[tuple[str, str, Change]] = [
    *((f"+{by} sd", "normal", shift(by)) for by in (0.1, 0.25, 0.5, 1.0, 2.0)),
    *((f"sd x{by}", "normal", shift(0.0, by)) for by in (1.25, 1.5, 2.0, 0.5)),
    *((f"nulls 0 -> {by:.0%}", "normal", nulls(by)) for by in (0.01, 0.05, 0.2)),
    ("constant", "normal", shift(0.3, 0.0)),
    ("unit x1000", "normal", shift(0.0, 1000.0)),
    ("AR .5, +.5 sd", "ar.5", shift(0.5)),
    ("AR .9, +1 sd", "ar.9", shift(1.0)),
]


def state_bytes() -> int:
    """Memory of one 30-feature model's judge after 100,000 rows, detectors not included."""
    import tracemalloc

    stream, said = Stream("normal", 30, 1), list[Verdict]()
    given, portion = reference(stream.draw(15_000)), batch(stream.draw(50_000))
    tracemalloc.start()
    drift = monitor(given, said)
    drift.fold(portion)
    drift.fold(portion)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'in control':<12}{'events/1M':>10}{'tickets':>10}{'pages':>10}{'us a row':>12}")
    for kind in ("normal", "t3", "lognormal", "ar.5", "ar.9"):
        in_control(kind, options.rows, options.seed)
    print(f"\n{'change of one feature':<26}{'ticket':>16}{'page':>16}{'too early':>10}")
    for name, kind, change in CHANGES:
        delays(name, kind, change, options.repeats, options.seed)
    print(f"\nstate: {state_bytes() / 30 / 1024:.1f} kB a feature")


if __name__ == "__main__":
    main()
