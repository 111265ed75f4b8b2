"""What else could tell that columns no longer go together: one score for all columns, or a classifier.

Each judges the streams of `drift_joint`, on normal scores by the ranks of the first 5,120 rows (no bins, so a
little better off than the sidecar). Scores of micro-batches of 64 rows are standardised by those first 80 and
given to ADWIN (delta 1e-4), as drift's other scores are. The classifier is a logistic regression of "old or
new": 1,024 rows against as many of the first, every 512 rows, out of fold; it alarms above the largest AUC of
60 windows in control of the same kind. What it is not: shipped. No clock, no file.
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from benchmarks.drift_joint import AFTER, BEFORE, CASES, Case, JointStream
from sidecar.monitors.detectors import ChangeDetector

BURN_IN, ROWS = 80, 64
LEARN = BURN_IN * ROWS
WINDOW, STEP, CALIBRATION = 1_024, 512, 60
Rows = np.ndarray
Score = Callable[[Rows], Rows]
_GRID = np.linspace(0.0005, 0.9995, 1_000)
_Z = np.array([NormalDist().inv_cdf(p) for p in _GRID])


def normal_scores(known: Rows) -> Score:
    """Rows to the normal scores of their ranks among `known` rows, column by column."""
    ordered = np.sort(known, axis=0)

    def score(rows: Rows) -> Rows:
        ranks = [np.searchsorted(ordered[:, i], rows[:, i]) / len(ordered) for i in range(rows.shape[1])]
        return np.interp(np.column_stack(ranks), _GRID, _Z)

    return score


def _axes(known: Rows) -> tuple[Rows, Rows]:
    values, vectors = np.linalg.eigh(np.corrcoef(known.T))
    return values, vectors  # ascending


def reconstruction(known: Rows) -> Score:
    """The squared error a row has when rebuilt from the leading components (80 % of the variance)."""
    values, vectors = _axes(known)
    rest = vectors[:, : int(np.searchsorted(np.cumsum(values), 0.2 * values.sum()))]
    return lambda rows: ((rows @ rest) ** 2).sum(axis=1)


def low_energy(known: Rows) -> Score:
    """The energy of a row in the quarter of the space where there is least, each axis by its own variance."""
    values, vectors = _axes(known)
    least = len(values) // 4
    axes = vectors[:, :least] / np.sqrt(np.maximum(values[:least], 1e-3))
    return lambda rows: ((rows @ axes) ** 2).sum(axis=1)


def mahalanobis(known: Rows) -> Score:
    """The same over all axes."""
    values, vectors = _axes(known)
    axes = vectors / np.sqrt(np.maximum(values, 1e-3))
    return lambda rows: ((rows @ axes) ** 2).sum(axis=1)


def pair_products(known: Rows) -> Score:
    """The mean of the products of the 32 most correlated pairs, by the sign they have."""
    r = np.corrcoef(known.T)
    first, second = np.triu_indices(len(r), 1)
    best = np.argsort(-np.abs(r[first, second]))[:32]
    i, j = first[best], second[best]
    return lambda rows: (rows[:, i] * rows[:, j] * np.sign(r[i, j])).mean(axis=1)


SCORES: dict[str, Callable[[Rows], Score]] = {
    "PCA reconstruction": reconstruction,
    "energy of small axes": low_energy,
    "Mahalanobis": mahalanobis,
    "products of 32 pairs": pair_products,
}


def alarms_of_score(make: Callable[[Rows], Score], rows: Rows) -> list[int]:
    """Rows after which ADWIN on the score of micro-batches alarms."""
    to_normal = normal_scores(rows[:LEARN])
    score = make(to_normal(rows[:LEARN]))
    values = score(to_normal(rows)).reshape(-1, ROWS).mean(axis=1)
    mean, deviation = values[:BURN_IN].mean(), values[:BURN_IN].std()
    detector = ChangeDetector()
    return [
        (at + 1) * ROWS
        for at, value in enumerate((values - mean) / deviation)
        if detector.update(float(value)) and at >= BURN_IN
    ]


def _logistic(inputs: Rows, classes: Rows, ridge: float = 30.0) -> Rows:
    """Coefficients by Newton's method, six steps."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(6):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (classes - chance) - ridge * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + ridge * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def _auc(scores: Rows, classes: Rows) -> float:
    ranks = np.argsort(np.argsort(scores)) + 1
    ones = classes.sum()
    return float((ranks[classes == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(classes) - ones)))


def _inputs(rows: Rows, products: bool) -> Rows:
    ones = np.ones((len(rows), 1))
    if not products:
        return np.hstack([ones, rows])
    first, second = np.triu_indices(rows.shape[1])
    return np.hstack([ones, rows, rows[:, first] * rows[:, second]])


def _apart(known: Rows, new: Rows, products: bool) -> float:
    """The AUC of telling `new` rows from as many known ones, each half judged by what the other taught."""
    old = known[: len(new)]
    inputs = _inputs(np.vstack([old, new]), products)
    classes = np.repeat([0.0, 1.0], len(new))
    half = np.arange(len(inputs)) % 2 == 0
    found = [
        _auc(inputs[~part] @ _logistic(inputs[part], classes[part]), classes[~part]) for part in (half, ~half)
    ]
    return float(np.mean(found))


def threshold(kind: str, products: bool, seed: int) -> float:
    """The largest AUC of windows in control."""
    stream = JointStream(kind, seed)
    known = stream.draw(LEARN)
    to_normal = normal_scores(known)
    windows = [to_normal(stream.draw(WINDOW)) for _ in range(CALIBRATION)]
    return max(_apart(to_normal(known), window, products) for window in windows)


def alarms_of_classifier(rows: Rows, limit: float, products: bool) -> list[int]:
    """Rows after which the classifier tells new rows from old ones better than in control."""
    to_normal = normal_scores(rows[:LEARN])
    scores = to_normal(rows)
    ends = range(LEARN + WINDOW, len(rows) + 1, STEP)
    return [at for at in ends if _apart(scores[:LEARN], scores[at - WINDOW : at], products) > limit]


def _rows(case: Case, seed: int) -> Rows:
    stream = JointStream(case.kind, seed)
    before, after = stream.draw(BEFORE), stream.draw(AFTER // 2)
    case.change(after, stream.random)
    return np.vstack([before, after])[: (BEFORE + AFTER // 2) // ROWS * ROWS]


def _first_after(alarms: list[int]) -> float:
    return min((at - BEFORE for at in alarms if at > BEFORE), default=np.inf)


def table(repeats: int, seed: int, control_rows: int = 200_000, classifier_repeats: int = 3) -> str:
    """Median rows to the first alarm after each change, and alarms per million rows in control."""
    kinds = ("factors", "t3", "ar.5")
    names = [*SCORES, "classifier", "classifier, products"]
    lines = ["", f"{'':<40}" + "".join(f"{name:>22}" for name in names)]
    limits = {
        (kind, products): threshold(kind, products, seed + 500)
        for kind in {case.kind for case in CASES}
        for products in (False, True)
    }
    for kind in kinds:
        rows = JointStream(kind, seed + 900).draw(control_rows // ROWS * ROWS)
        found = [len(alarms_of_score(make, rows)) for make in SCORES.values()]
        part = rows[: control_rows // 4]
        found += [4 * len(alarms_of_classifier(part, limits[kind, p], p)) for p in (False, True)]
        shown = "".join(f"{count * 1e6 / control_rows:>22,.0f}" for count in found)
        lines.append(f"{kind + ' in control, per million':<40}{shown}")
    for case in CASES:
        medians = [
            np.median([_first_after(alarms_of_score(make, _rows(case, seed + i))) for i in range(repeats)])
            for make in SCORES.values()
        ]
        for p in (False, True):
            runs = [_rows(case, seed + i)[BEFORE - LEARN :] for i in range(classifier_repeats)]
            late = [alarms_of_classifier(rows, limits[case.kind, p], p) for rows in runs]
            medians.append(np.median([min((a - LEARN for a in at), default=np.inf) for at in late]))
        shown = "".join(f"{value:>22,.0f}" if value < np.inf else f"{'-':>22}" for value in medians)
        lines.append(f"{case.name:<40}{shown}")
    return "\n".join(lines)
