"""Predictions against their labels: what kind of question it is, which were right, and how good they are.

Four answers to "what kind": classes (equal or not), scores (the probability of one class, so a threshold
decides), numbers (further off or less), and unclear, when nobody can say. It is asked of many pairs at once
and the majority decides, so that a stray value changes nothing. Pure.

The trap: a prediction that is no value at all (null, NaN) is wrong; a label that does not fit the question is
left out. Definitions: Fawcett, "An introduction to ROC analysis", 2006; averages over classes are
unweighted, and a class that was never predicted has a precision of 0, as it is usual.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sidecar.monitors.labels.values import NONE, NUMBER, TEXT, Floats, Kinds, Value, value_of
from sidecar.policy import Judgement

Mask = npt.NDArray[np.bool_]

# With 30 labels an accuracy of 90 % is known to 11 points; less is no figure to show to anybody.
ENOUGH = 30
# The rank of a single positive among hundreds is that row's luck.
ENOUGH_OF_A_CLASS = 5
# What a sum of decimals is off in binary: 1.1 is within 0.1 of 1.
_SLACK = 1e-9
_POSITIVE: Value = (NUMBER, 1.0)


class Task(StrEnum):
    """What kind of question labels answer."""

    CLASSES = "classes"
    SCORES = "scores"
    NUMBERS = "numbers"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Predictions and labels, one each a row: values and their kinds. Labels are never NONE."""

    predicted: Floats
    predicted_kinds: Kinds
    labels: Floats
    label_kinds: Kinds

    def __len__(self) -> int:
        return len(self.labels)

    def numbers(self) -> Mask:
        """Where both are numbers."""
        return np.asarray((self.predicted_kinds == NUMBER) & (self.label_kinds == NUMBER))


@dataclass(frozen=True, slots=True)
class Rules:
    """What is configured. `tolerance` None: no objective says how far off a number may be."""

    judgement: Judgement = Judgement()
    tolerance: float | None = None

    def positive(self) -> Value | None:
        """The class that was named."""
        return value_of(self.judgement.positive) if self.judgement.positive else None


def task_of(pairs: Pairs, rules: Rules) -> Task:
    """What kind of question these pairs answer."""
    if not (pairs.predicted_kinds != NONE).any():
        return Task.UNCLEAR
    if rules.judgement.task == "regression":
        return Task.NUMBERS
    if rules.judgement.task == "auto" and not _mostly_classes(pairs, rules):
        return Task.NUMBERS
    predicted, numeric = pairs.predicted, pairs.predicted_kinds == NUMBER
    fractions = numeric & (predicted != np.rint(predicted))
    if not fractions.any():
        return Task.CLASSES
    named = rules.positive() is not None or not _majority(pairs.label_kinds == TEXT, pairs.label_kinds > NONE)
    return Task.SCORES if named else Task.UNCLEAR


def right(pairs: Pairs, task: Task, rules: Rules) -> npt.NDArray[np.int8]:
    """1 for right, 0 for wrong, -1 for what cannot be judged."""
    if task is Task.UNCLEAR:
        return np.full(len(pairs), -1, np.int8)
    if task is Task.CLASSES:
        equal = (pairs.predicted_kinds == pairs.label_kinds) & (pairs.predicted == pairs.labels)
        return np.asarray(equal, np.int8)
    if task is Task.SCORES:
        positive = pairs.predicted >= rules.judgement.threshold
        agree = positive == _is(rules.positive() or _POSITIVE, pairs.labels, pairs.label_kinds)
        return np.asarray(agree & (pairs.predicted_kinds == NUMBER), np.int8)
    if rules.tolerance is None:
        return np.full(len(pairs), -1, np.int8)
    allowed = rules.tolerance * (1 + _SLACK) + _SLACK * np.abs(pairs.labels)
    near = pairs.numbers() & (np.abs(pairs.predicted - pairs.labels) <= allowed)
    return np.where(pairs.label_kinds == NUMBER, near, -1).astype(np.int8)


def errors(pairs: Pairs, task: Task, rules: Rules) -> Floats:
    """How wrong each was: 0 or 1 for classes and scores, the distance for numbers; only of those judged."""
    if task is Task.NUMBERS:
        return np.asarray(np.abs(pairs.predicted - pairs.labels)[pairs.numbers()])
    judged = right(pairs, task, rules)
    return (1.0 - judged[judged >= 0]).astype(np.float64)


def figures(pairs: Pairs, task: Task, rules: Rules) -> dict[str, float]:
    """Quality by metric, without what too few of these say or what is not defined for them."""
    if task is Task.NUMBERS:
        return _distances(pairs)
    if task is Task.UNCLEAR or len(pairs) < ENOUGH:
        return {}
    found = {"accuracy": float(right(pairs, task, rules).mean())}
    if task is Task.SCORES:
        positive = rules.positive() or _POSITIVE
        predicted = (pairs.predicted >= rules.judgement.threshold) & (pairs.predicted_kinds == NUMBER)
        actual = _is(positive, pairs.labels, pairs.label_kinds)
        return {**found, **_of_a_class(predicted, actual), **_of_scores(pairs, actual)}
    binary = rules.positive() or (_POSITIVE if _zero_or_one(pairs) else None)
    if binary is None:
        return {**found, **_mean_of_classes(pairs)}
    predicted = _is(binary, pairs.predicted, pairs.predicted_kinds)
    return {**found, **_of_a_class(predicted, _is(binary, pairs.labels, pairs.label_kinds))}


def _mostly_classes(pairs: Pairs, rules: Rules) -> bool:
    p, y, both = pairs.predicted, pairs.labels, pairs.numbers()
    texts = (pairs.predicted_kinds == TEXT) | (pairs.label_kinds == TEXT)
    unit = both & ((y == 0) | (y == 1)) & (p >= 0) & (p <= 1)
    # Whoever says how far off a number may be has numbers, also where all of them are whole.
    whole = both & (p == np.rint(p)) & (y == np.rint(y)) & (rules.tolerance is None)
    return _majority(texts | unit | whole, pairs.predicted_kinds != NONE)


def _majority(these: Mask, of: Mask) -> bool:
    return 2 * int(np.count_nonzero(these & of)) >= int(np.count_nonzero(of))


def _is(value: Value, values: Floats, kinds: Kinds) -> Mask:
    return np.asarray((kinds == value[0]) & (values == value[1]))


def _zero_or_one(pairs: Pairs) -> bool:
    known = pairs.predicted_kinds != NONE
    values = np.concatenate((pairs.labels, pairs.predicted[known]))
    kinds = np.concatenate((pairs.label_kinds, pairs.predicted_kinds[known]))
    return bool(((kinds == NUMBER) & ((values == 0) | (values == 1))).all())


def _of_a_class(predicted: Mask, actual: Mask) -> dict[str, float]:
    hits = int(np.count_nonzero(predicted & actual))
    claims, cases = int(np.count_nonzero(predicted)), int(np.count_nonzero(actual))
    found = {"precision": (hits, claims), "recall": (hits, cases), "f1": (2 * hits, claims + cases)}
    return {metric: part / whole for metric, (part, whole) in found.items() if whole}


def _mean_of_classes(pairs: Pairs) -> dict[str, float]:
    """Unweighted means over every class that was predicted or is a label."""
    predicted = pairs.predicted + 1j * pairs.predicted_kinds
    actual = pairs.labels + 1j * pairs.label_kinds
    known = pairs.predicted_kinds != NONE
    classes, codes = np.unique(np.concatenate((actual, predicted[known])), return_inverse=True)
    cases = np.bincount(codes[: len(actual)], minlength=len(classes))
    claims = np.bincount(codes[len(actual) :], minlength=len(classes))
    hits = np.bincount(codes[: len(actual)][actual == predicted], minlength=len(classes))
    return {
        "precision": float((hits / np.maximum(claims, 1)).mean()),
        "recall": float((hits / np.maximum(cases, 1)).mean()),
        "f1": float((2 * hits / (claims + cases)).mean()),
    }


def _of_scores(pairs: Pairs, actual: Mask) -> dict[str, float]:
    scored = pairs.predicted_kinds == NUMBER
    scores, positive = pairs.predicted[scored], actual[scored]
    found: dict[str, float] = {}
    if len(scores) >= ENOUGH and ((scores >= 0) & (scores <= 1)).all():
        found["brier"] = float(np.square(scores - positive).mean())
    cases = int(np.count_nonzero(positive))
    if min(cases, len(scores) - cases) >= ENOUGH_OF_A_CLASS:
        found["roc_auc"] = _roc_auc(scores, positive)
    return found


def _roc_auc(scores: Floats, positive: Mask) -> float:
    """How often a positive has the higher score than a negative, ties half: Mann and Whitney's U."""
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    cases = int(np.count_nonzero(positive))
    u = float(ranks[codes[positive]].sum()) - cases * (cases + 1) / 2
    return u / (cases * (len(scores) - cases))


def _distances(pairs: Pairs) -> dict[str, float]:
    both = pairs.numbers()
    off = pairs.predicted[both] - pairs.labels[both]
    if len(off) < ENOUGH:
        return {}
    with np.errstate(over="ignore"):
        found = {
            "mae": float(np.abs(off).mean()),
            "rmse": float(np.sqrt(np.square(off).mean())),
            "bias": float(off.mean()),
        }
    return {metric: value for metric, value in found.items() if np.isfinite(value)}
