"""Drift of the whole fleet from the counters of all replicas: PSI, Jensen-Shannon, total variation.

For charts and for a second look: verdicts are made in each sidecar, by better means. The formulas are the
sidecar's own (monitors/drift_scores.py): bins that are empty on both sides are left out, half a row is added
to every other one, so that an empty side gives a number (Krichevsky and Trofimov, 1981). PSI of two samples
of one distribution is not zero but about (bins - 1)(1/rows + 1/reference rows); the de-biased one has that
taken off (Yurdakul, 2018). The trap: `sum(increase())`, never `increase(sum())`, because replicas
restart; and only one profile at a time, because other edges are other bins.
"""

from sidecar import catalog
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by, on
from sidecar.generators.rule import Group, Record
from sidecar.monitors.exported_bins import GRID

_COLUMN = ("model_name", "kind", "name", "profile")
_BY_COLUMN, _BY_BIN, _ON_COLUMN = by(*_COLUMN), by(*_COLUMN, "bin"), on(*_COLUMN)
ROWS, USED = "fleet:inference_bin_rows:increase5m", "fleet:inference_bin_used_rows:increase5m"
SHARE, REFERENCE = "fleet:inference_bin:ratio5m", "fleet:inference_reference_bin:ratio5m"
REFERENCE_BIN, REFERENCE_ROWS = "fleet:inference_reference_bin_rows:max", "fleet:inference_reference_rows:max"
PSI, DEBIASED = "fleet:inference_psi:score5m", "fleet:inference_psi_debiased:score5m"
JS, TV = "fleet:inference_js:score5m", "fleet:inference_tv:score5m"


def groups(durations: Durations) -> list[Group]:
    """Shares and scores every minute; the reference, which hardly ever changes, more seldom."""
    shares = [_rows(durations), _used(), _smoothed(SHARE, USED), _smoothed(REFERENCE, _REFERENCE_OF_USED)]
    scores = [_psi(), _debiased(), _js(), _tv()]
    return [
        Group("inference-fleet-reference", durations.wait("4m"), _WHY_REFERENCE, _reference()),
        Group("inference-fleet-drift", durations.wait("1m"), _WHY, [*shares, *scores]),
    ]


def _reference() -> list[Record]:
    rows, share = catalog.REFERENCE_ROWS.name, catalog.REFERENCE_RATIO.name
    return [
        Record(REFERENCE_ROWS, f"max {_BY_COLUMN} ({rows})"),
        Record(REFERENCE_BIN, f"max {_BY_BIN} ({share})\n* {_ON_COLUMN} group_left ()\n{REFERENCE_ROWS}"),
    ]


def _rows(durations: Durations) -> Record:
    # Without a reference there is nothing to compare with: the fixed grid is left out, it has the most bins.
    rows = f'{catalog.DISTRIBUTION_ROWS.name}{{profile!="{GRID}"}}[{durations.window("5m")}]'
    return Record(ROWS, f"sum {_BY_BIN} (increase({rows}))")


def _used() -> Record:
    """Bins with rows, then or now; of columns with rows: in a quiet night nothing has drifted."""
    return Record(
        USED,
        f"({ROWS} > 0 or ({ROWS} and {REFERENCE_BIN} > 0))\nand {_ON_COLUMN} sum {_BY_COLUMN} ({ROWS}) > 0",
    )


# Empty in the reference is a zero there as well, so that the bin is on both sides.
_REFERENCE_OF_USED = f"({REFERENCE_BIN} and {USED})"


def _smoothed(name: str, rows: str) -> Record:
    return Record(name, f"({rows} + 0.5)\n/ {_ON_COLUMN} group_left ()\nsum {_BY_COLUMN} ({rows} + 0.5)")


def _psi() -> Record:
    return Record(PSI, f"sum {_BY_COLUMN} (({SHARE} - {REFERENCE}) * ln({SHARE} / {REFERENCE}))")


def _debiased() -> Record:
    return Record(
        DEBIASED,
        f"{PSI}\n- (count {_BY_COLUMN} ({USED}) - 1)\n"
        f"* (1 / sum {_BY_COLUMN} ({USED}) + {_ON_COLUMN} 1 / {REFERENCE_ROWS})",
    )


def _js() -> Record:
    middle = f"(0.5 * ({SHARE} + {REFERENCE}))"
    sides = (f"sum {_BY_COLUMN} ({side} * ln({side} / {middle}))" for side in (SHARE, REFERENCE))
    return Record(JS, "(\n  {}\n  + {}\n) / 2".format(*sides))


def _tv() -> Record:
    return Record(TV, f"0.5 * sum {_BY_COLUMN} (abs({SHARE} - {REFERENCE}))")


_WHY_REFERENCE = """
The reference, half a row added to each bin. It changes with a rollout only, so it is read every four minutes.
"""
_WHY = """
Of all replicas and versions together: rows in each bin over five minutes, how far from the reference.
"""
