"""Nulls, wrong types, unseen categories and values out of range: are there suddenly far more of them?

"Usual" is the reference's share of nulls; of the rest a given reference has none, since its own types, levels
and ranges are the rules. Where no reference says, the first `LEARNT_ROWS` rows of these features do, and are
not judged. The trap: a share from few rows is no share, so each is rounded up by what those rows cannot tell.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.batch import State
from sidecar.monitors.quality_chance import EFFECT, at_most, is_surge
from sidecar.monitors.quality_window import Window
from sidecar.names import clean
from sidecar.reference import Reference

LEARNT_ROWS = 1_000
# The kinds, and the states that each counts.
KINDS = ("null_surge", "type_change", "unseen_category_surge", "out_of_range_surge")
_KIND_OF_STATE = {
    State.MISSING: 0, State.NULL: 0, State.NAN: 0, State.WRONG_TYPE: 1, State.UNSEEN_CATEGORY: 2,
    State.OUT_OF_RANGE: 3, State.INF: 3,
}  # fmt: skip
_WORDS = ("null or missing", "of another type", "in no known category", "out of range")
_SUM = np.zeros((len(State), len(KINDS)), np.int64)
for _state, _kind in _KIND_OF_STATE.items():
    _SUM[_state, _kind] = 1

Shares = npt.NDArray[np.float64]


class Surges:
    """One layout's usual shares, and whether a window is above them."""

    def __init__(self, names: tuple[str, ...], reference: Reference | None) -> None:
        self._names = names
        self._usual = np.full((len(names), len(KINDS)), np.nan)
        self._seen = np.zeros((len(names), len(KINDS)), np.int64)
        self._rows = 0
        profiles = {clean(name): p for name, p in reference.features.items()} if reference else {}
        for at, name in enumerate(names):
            profile = profiles.get(name)
            if profile is not None and reference is not None:
                self._usual[at, 0] = at_most(profile.null_ratio, profile.rows)
                if reference.source == "given":
                    self._usual[at, 1:] = at_most(0.0, profile.rows)
        self._unknown = np.isnan(self._usual)
        self._learning = bool(self._unknown.any())

    def check(self, window: Window) -> Iterator[tuple[str, str, str]]:
        """Each feature and kind of which there are far more than usual, and the sentence about it."""
        if not window.states.any():  # nearly always: all valid
            if self._learning:
                self._learn(np.zeros_like(self._seen), window.rows)
            return
        counts = _counts(window.states) @ _SUM
        with np.errstate(invalid="ignore"):
            suspected = counts >= window.rows * (self._usual + EFFECT)
        for at, kind in np.argwhere(suspected).tolist():
            bad, usual = int(counts[at, kind]), float(self._usual[at, kind])
            if is_surge(bad, window.rows, usual):
                text = f"{bad / window.rows:.0%} of {window.rows} values are {_WORDS[kind]}"
                yield self._names[at], KINDS[kind], f"{text}; usual is {_percent(usual)}"
        if self._learning:
            self._learn(counts, window.rows)

    def state(self) -> dict[str, Any]:
        """What is usual, to be saved."""
        usual = [[None if share != share else share for share in row] for row in self._usual.tolist()]
        return {"usual": usual, "seen": self._seen.tolist(), "rows": self._rows, "learning": self._learning}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `state` gave. Raises ValueError, TypeError, KeyError."""
        usual = np.array(saved["usual"], dtype=np.float64)
        seen = np.array(saved["seen"], dtype=np.int64)
        if usual.shape != self._usual.shape or seen.shape != self._seen.shape:
            raise ValueError("surges of other features")
        self._usual, self._seen = usual, seen
        self._rows, self._learning = int(saved["rows"]), bool(saved["learning"])

    def _learn(self, counts: npt.NDArray[np.int64], rows: int) -> None:
        self._seen += counts
        self._rows += rows
        if self._rows >= LEARNT_ROWS:
            self._learning = False
            shares = np.minimum(self._seen / self._rows + at_most(0.0, self._rows), 1.0)
            self._usual = np.where(self._unknown, shares, self._usual)


def _counts(states: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many values of each feature are in each state."""
    features, kinds = len(states), len(State)
    flat = states + (np.arange(features) * kinds)[:, None]
    return np.bincount(flat.ravel(), minlength=features * kinds).reshape(features, kinds)


def _percent(share: float) -> str:
    return f"at most {share:.1%}" if share >= 0.001 else "hardly any"
