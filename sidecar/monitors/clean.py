"""One column of values, as payloads hold them, to the state of each value.

What is decided here, and why:
- A numeric string in a number column is `wrong_type`: a type that changed upstream is what on-call wants
  to see, and a model server that casts silently is how it stays unseen. So is True: a boolean is no number.
- Integers in a category column are levels by their text, whole floats too (tensors of one dtype carry
  codes as 3.0). 0 and 1 in a boolean column are booleans, for the same reason.
- NaN and infinity are states of their own in every type; nested values are no number and no level.
- The levels of a boolean are "true" and "false", as JSON spells them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.batch import CleanColumn, State
from sidecar.inference import MISSING
from sidecar.reference import ColumnProfile, ColumnType, Expectation

States = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]

_NUMERIC_OR_NULL = frozenset({int, float, type(None)})
_ALWAYS_AVAILABLE = frozenset({str, int, bool})
_LEVELLED = frozenset({ColumnType.CATEGORY, ColumnType.BOOLEAN})
_NUMBERS = int | float | np.integer | np.floating
# The year 5138: milliseconds since 1973 are larger.
_LARGEST_SECONDS = 1e11
# A share this close to one leaves nothing for `__other__`: the reference knows every level.
_COMPLETE_SHARE = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class Rules:
    """What the values of one column have to be. Levels None: any level will do."""

    type: ColumnType
    low: float = -math.inf
    high: float = math.inf
    levels: frozenset[str] | None = None


def rules_for(
    type: ColumnType, expectation: Expectation, profile: ColumnProfile | None, *, given: bool
) -> Rules:
    """The rules from what the operator says, else from the reference.

    A configured bound is a rule. The extremes of a reference are not: they are those of a sample, and of
    N fresh rows one in N/2 exceeds them with nothing wrong. But a value further outside than the whole
    reference is wide is another unit or a sentinel (-999), so the range of a *given* reference counts when
    widened by its width on both sides; a learnt one is too small a sample even for that.
    """
    low, high = expectation.min, expectation.max
    if (
        low is None
        and high is None
        and given
        and profile
        and profile.min is not None
        and profile.max is not None
    ):
        width = profile.max - profile.min
        low, high = profile.min - width, profile.max + width
    levels = expectation.values
    if levels is None and profile and sum(profile.levels.values()) >= _COMPLETE_SHARE:
        levels = tuple(profile.levels)
    return Rules(
        type,
        -math.inf if low is None else low,
        math.inf if high is None else high,
        None if levels is None else frozenset(levels),
    )


def clean_column(name: str, values: Sequence[Any], rules: Rules) -> CleanColumn:
    """The states of `values`, and the numbers or levels of those that are usable. Never raises."""
    if isinstance(values, np.ndarray) and not (
        rules.type is ColumnType.NUMBER and values.dtype.kind in "fiu"
    ):
        values = values.tolist()
    if rules.type is ColumnType.NUMBER:
        states, numbers = _numbers(values, rules.low, rules.high)
        return CleanColumn(name, rules.type, states, numbers=numbers)
    if rules.type in _LEVELLED:
        states, levels = _levels(values, rules)
        return CleanColumn(name, rules.type, states, levels=levels)
    if rules.type is ColumnType.TIMESTAMP:
        states, times = _timestamps(values)
        return CleanColumn(name, rules.type, states, times=times)
    return CleanColumn(name, rules.type, availability(values))


def absent_column(name: str, rows: int, rules: Rules) -> CleanColumn:
    """The column of a feature that none of the rows has."""
    states = np.full(rows, State.MISSING, np.uint8)
    numbers = np.full(rows, np.nan) if rules.type is ColumnType.NUMBER else None
    return CleanColumn(name, rules.type, states, numbers, [None] * rows if rules.type in _LEVELLED else None)


def availability(values: Sequence[Any]) -> States:
    """Whether each value is there at all: never out of range, unseen or of the wrong type."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    kinds = set(map(type, values))
    if kinds <= _ALWAYS_AVAILABLE:
        return np.zeros(len(values), np.uint8)
    if kinds <= _NUMERIC_OR_NULL and (numbers := _floats(values)) is not None:
        return _states_of_floats(numbers, values)
    return _states([_unusable(v) or State.VALID for v in values])


def _numbers(values: Sequence[Any], low: float, high: float) -> tuple[States, Numbers]:
    plain = isinstance(values, np.ndarray) or set(map(type, values)) <= _NUMERIC_OR_NULL
    numbers = _floats(values) if plain else None
    if numbers is not None:
        states = _states_of_floats(numbers, values)
    else:
        judged = [_number(v) for v in values]
        states = _states([state for state, _ in judged])
        numbers = np.array([number for _, number in judged], dtype=np.float64)
    if states.any():
        numbers[states != State.VALID] = np.nan
    if low > -math.inf or high < math.inf:
        # NaN compares false with everything, so unusable values keep their state.
        states[(numbers < low) | (numbers > high)] = State.OUT_OF_RANGE
    return states, numbers


def _floats(values: Sequence[Any]) -> Numbers | None:
    """Plain numbers and nulls (as NaN) in one go; None if an integer is larger than any float."""
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return None


def _states_of_floats(numbers: Numbers, values: Sequence[Any]) -> States:
    states = np.zeros(len(numbers), np.uint8)
    if not np.isfinite(numbers).all():
        states[np.isinf(numbers)] = State.INF
        if isinstance(values, np.ndarray):
            states[np.isnan(numbers)] = State.NAN
            return states
        for i in np.flatnonzero(np.isnan(numbers)).tolist():
            states[i] = State.NULL if values[i] is None else State.NAN
    return states


def _number(value: Any) -> tuple[int, float]:
    unusable = _unusable(value)
    if unusable is not None:
        return unusable, math.nan
    if isinstance(value, bool | np.bool_) or not isinstance(value, _NUMBERS):
        return State.WRONG_TYPE, math.nan
    try:
        return State.VALID, float(value)
    except OverflowError:
        return State.INF, math.nan


def _levels(values: Sequence[Any], rules: Rules) -> tuple[States, list[str | None]]:
    kinds = set(map(type, values))
    if rules.type is ColumnType.CATEGORY and kinds == {str}:
        levels: list[str | None] = list(values)
        states = np.zeros(len(levels), np.uint8)
    elif rules.type is ColumnType.BOOLEAN and kinds == {bool}:
        levels = ["true" if v else "false" for v in values]
        states = np.zeros(len(levels), np.uint8)
    else:
        as_level = _boolean if rules.type is ColumnType.BOOLEAN else _category
        levels = [None if _unusable(v) else as_level(v) for v in values]
        states = _states([_unusable(v) or _level_state(text) for v, text in zip(values, levels, strict=True)])
    if rules.levels is not None and not rules.levels.issuperset(levels):
        unseen = [text is not None and text not in rules.levels for text in levels]
        states[unseen] = State.UNSEEN_CATEGORY
    return states, levels


def _level_state(text: str | None) -> int:
    return State.WRONG_TYPE if text is None else State.VALID


def _category(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return _boolean(value)
    if isinstance(value, int | np.integer):
        return _digits(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return _digits(int(value))
    return None


def _digits(value: int) -> str | None:
    """The text of an integer; None for one so long that Python refuses to spell it."""
    return str(value) if value.bit_length() <= 256 else None


def _boolean(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_ | _NUMBERS) and value in (0, 1):
        return "true" if value else "false"
    return None


def _timestamps(values: Sequence[Any]) -> tuple[States, Numbers]:
    judged = [_timestamp(v) for v in values]
    return _states([state for state, _ in judged]), np.array([time for _, time in judged], dtype=np.float64)


def _timestamp(value: Any) -> tuple[int, float]:
    """ISO 8601 text, or a number since the epoch; in seconds. Text without a zone is UTC."""
    unusable = _unusable(value)
    if unusable is not None:
        return unusable, math.nan
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return State.VALID, _seconds(value)
    try:
        moment = datetime.fromisoformat(value)
        return State.VALID, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return State.WRONG_TYPE, math.nan


def _seconds(value: Any) -> float:
    """A number since the epoch in seconds: of what is larger than any year's seconds, the unit shows."""
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    for unit in (1.0, 1e3, 1e6, 1e9):
        if abs(number) < _LARGEST_SECONDS * unit:
            return number / unit
    return math.nan


def _unusable(value: Any) -> int | None:
    """The state of a value that is none of any type; None for the rest."""
    if value is None:
        return State.NULL
    if value is MISSING:
        return State.MISSING
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return State.NAN if math.isnan(value) else State.INF
    return None


def _states(states: Sequence[int]) -> States:
    return np.array(states, dtype=np.uint8)
