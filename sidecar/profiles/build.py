"""Builds a profile from values as they come: bounded memory, one pass, any number of rows.

Each column keeps exact counts for its first kinds of values, and for numbers a uniform sample from which the
bin edges are drawn. Types are inferred from all values, never from the first ones only. What it is not: a
validator. Values it cannot read are counted as what they are (text), and make the column text.

The trap: a number with few different values (0 or 1, a count of children) has no quantiles; its
bins are its values.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from sidecar.binning import level_text
from sidecar.inference import MISSING
from sidecar.profiles.levels import Levels
from sidecar.profiles.vectors import VectorColumns
from sidecar.reference import ColumnProfile, ColumnType, Reference
from sidecar.texts import SUFFIXES, UNKNOWN_WORDS, statistics
from sidecar.words import Vocabulary, unknown

# A quantile from 50,000 of any number of rows is within .5 % of rank (Dvoretzky-Kiefer-Wolfowitz, 99 %).
SAMPLE_ROWS = 50_000
BINS = 20
# Numbers with at most this many different values get a bin for each.
DISCRETE_VALUES = BINS
MAX_LEVELS = 50
# Fewer rows than this carry no share worth a name, and a rare raw value is somebody's data.
MIN_LEVEL_ROWS = 20
# Outputs that are whole numbers with few values are classes; features stay numbers.
MAX_CLASSES = 20
# So many whole numbers in strict order are no coincidence.
MIN_COUNTER_ROWS = 100
MAX_COLUMNS = 5_000
# Columns that may be text; five numbers of each cost 1.6 MB while a file is read.
MAX_TEXTS = 50
# Texts looked at in one go: some megabytes of characters.
WORDS_AT_A_TIME = 500
_SEED = 20_240_229  # fixed: the same rows give the same profile, and the same hash
_TEXT_OR_NULL = frozenset({str, type(None)})
_OLDEST, _NEWEST = datetime(1970, 1, 1), datetime(2200, 1, 1)


class ColumnBuilder:
    """One column: `add` values in any portions, `profile` at any time."""

    def __init__(self, name: str, sample_rows: int = SAMPLE_ROWS) -> None:
        self.name = name
        self.rows = 0
        self._nulls = 0
        self._numbers = 0
        self._booleans = 0
        self._texts = 0
        self._timestamps = 0
        self._sum = self._squares = 0.0
        self._pivot: float | None = None
        self._min, self._max = math.inf, -math.inf
        self._whole = self._increasing = True
        self._levels = Levels()
        self._sample = np.empty(sample_rows)
        self._random = np.random.default_rng(_SEED)

    def add(self, values: Sequence[Any] | np.ndarray) -> None:
        """Take these values: numbers, strings, booleans, None or MISSING; lists count as text."""
        self.rows += len(values)
        numbers = _plain_numbers(values)
        if numbers is None:
            numbers = self._sorted(values.tolist() if isinstance(values, np.ndarray) else values)
        else:
            self._nulls += int(np.isnan(numbers).sum())
            numbers = numbers[np.isfinite(numbers)]
        if len(numbers):
            self._add_numbers(numbers)

    @property
    def values(self) -> int:
        """Rows that had one."""
        return self.rows - self._nulls

    def add_nulls(self, rows: int) -> None:
        """Take rows in which the column is absent."""
        self.rows += rows
        self._nulls += rows

    def profile(self, *, output: bool = False, type: ColumnType | None = None) -> ColumnProfile:
        """What the column looks like so far, as `type` if that is known. Outputs with few whole values
        are classes."""
        type = type or self._type(output)
        null_ratio = self._nulls / self.rows if self.rows else 0.0
        if type is ColumnType.NUMBER and self._is_counter():
            type = ColumnType.TEXT
        if type is ColumnType.NUMBER and self._numbers:
            return self._number(null_ratio)
        kept = self._kept_levels() if type in (ColumnType.CATEGORY, ColumnType.BOOLEAN) else {}
        return ColumnProfile(self.name, type, self.rows, null_ratio, levels=kept)

    def _sorted(self, values: Sequence[Any]) -> np.ndarray:
        """The numbers among these values; the others are counted."""
        kept: list[float] = []
        if set(map(type, values)) <= _TEXT_OR_NULL:
            for text, count in Counter(values).items():
                self._sort(text, kept, count)
        else:
            for value in values:
                self._sort(value, kept)
        return np.array(kept, dtype=np.float64)

    def _sort(self, value: Any, numbers: list[float], count: int = 1) -> None:
        if value is None or value is MISSING or value != value:
            self._nulls += count
        elif isinstance(value, bool):
            self._booleans += 1
            self._levels.count(level_text(value))
        elif isinstance(value, (int, float)):
            self._add_number(value, numbers)
        else:
            self._texts += count
            text = value if isinstance(value, str) else "(nested)"
            self._timestamps += count * _is_timestamp(text)
            self._levels.count(text, count)

    def _add_number(self, value: int | float, numbers: list[float]) -> None:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            return  # neither null nor a number to learn from
        numbers.append(number)

    def _add_numbers(self, numbers: np.ndarray) -> None:
        if self._pivot is None:
            self._pivot = float(numbers[0])
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = numbers - self._pivot  # keeps digits when the mean is far from 0
            self._sum += float(shifted.sum())
            self._squares += float((shifted**2).sum())
        last = self._max if self._numbers else -math.inf
        self._increasing = self._increasing and numbers[0] > last and bool((numbers[1:] > numbers[:-1]).all())
        self._min, self._max = min(self._min, float(numbers.min())), max(self._max, float(numbers.max()))
        self._whole = self._whole and bool((numbers == np.floor(numbers)).all())
        self._levels.count_numbers(numbers)
        self._keep_sample(numbers)

    def _keep_sample(self, numbers: np.ndarray) -> None:
        """Vitter's algorithm R, 1985: every number so far is in the sample with the same probability."""
        room = max(len(self._sample) - self._numbers, 0)
        first = numbers[:room]
        self._sample[self._numbers : self._numbers + len(first)] = first
        rest = numbers[room:]
        if len(rest):
            seen = max(self._numbers, len(self._sample)) + 1 + np.arange(len(rest))
            places = (self._random.random(len(rest)) * seen).astype(np.int64)
            kept = places < len(self._sample)
            self._sample[places[kept]] = rest[kept]
        self._numbers += len(numbers)

    def _type(self, output: bool) -> ColumnType:
        if self._texts:
            if self._timestamps == self._texts and not self._numbers:
                return ColumnType.TIMESTAMP
            return ColumnType.CATEGORY if self._is_category() else ColumnType.TEXT
        if self._booleans:
            return ColumnType.CATEGORY if self._numbers else ColumnType.BOOLEAN
        if output and self._numbers and self._whole and len(self._levels.counts) <= MAX_CLASSES:
            return ColumnType.CATEGORY
        return ColumnType.NUMBER if self._numbers else ColumnType.TEXT

    def _is_counter(self) -> bool:
        """Whole numbers that only go up: a row's id or a sequence. They always "drift", and say nothing."""
        return self._whole and self._increasing and self._numbers >= MIN_COUNTER_ROWS

    def _is_category(self) -> bool:
        """Few enough different values, and common ones among them that cover most rows."""
        values = max(self.rows - self._nulls, 1)
        if self._levels.full:
            return False
        return len(self._levels.counts) <= 10 or sum(self._kept_counts().values()) >= values / 2

    def _kept_counts(self) -> dict[str, int]:
        common = sorted(self._levels.counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_LEVELS]
        # A small file would keep nothing: then a hundredth of its rows will do.
        enough = min(MIN_LEVEL_ROWS, max(self.rows // 100, 1))
        return {level: count for level, count in common if count >= enough}

    def _kept_levels(self) -> Mapping[str, float]:
        values = max(self.rows - self._nulls, 1)
        return {level: count / values for level, count in self._kept_counts().items()}

    def _number(self, null_ratio: float) -> ColumnProfile:
        sample = np.sort(self._sample[: min(self._numbers, len(self._sample))])
        edges = _edges(sample)
        shares = np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1) / max(len(sample), 1)
        mean, stddev = self._moments(sample)
        return ColumnProfile(
            self.name, ColumnType.NUMBER, self.rows, null_ratio, tuple(edges), tuple(shares.tolist()),
            min=self._min, max=self._max, mean=mean, stddev=stddev,
        )  # fmt: skip

    def _moments(self, sample: np.ndarray) -> tuple[float | None, float | None]:
        assert self._pivot is not None
        mean = self._sum / self._numbers
        variance = max(self._squares / self._numbers - mean * mean, 0.0)  # ** would raise on overflow
        mean += self._pivot
        if math.isfinite(mean) and math.isfinite(variance):
            return mean, math.sqrt(variance)
        return None, None  # values near the largest float: their squares are not numbers


class ProfileBuilder:
    """A reference from rows that come in portions, column by column."""

    def __init__(self, sample_rows: int = SAMPLE_ROWS) -> None:
        self.rows = 0
        self._sample_rows = sample_rows
        self._features: dict[str, ColumnBuilder] = {}
        self._outputs: dict[str, ColumnBuilder] = {}
        self._texts: dict[str, list[ColumnBuilder]] = {}
        self._words: dict[str, tuple[Vocabulary, ColumnBuilder]] = {}
        self._vectors = VectorColumns(lambda name: ColumnBuilder(name, sample_rows))

    def add(
        self,
        rows: int,
        features: Mapping[str, Sequence[Any] | np.ndarray],
        outputs: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    ) -> None:
        """Take `rows` rows. A feature that is absent from them was null; an absent output was not made."""
        for name, values in features.items():
            self._column(self._features, name, self.rows).add(values)
            self._describe(name, values)
        for name, values in (outputs or {}).items():
            if not self._vectors.took(name, values):
                self._column(self._outputs, name, 0).add(values)
        for name in self._features.keys() - features.keys():
            self._features[name].add_nulls(rows)
        for name in self._texts.keys() - features.keys():
            for column in self._texts[name]:
                column.add_nulls(rows)
        self.rows += rows

    def reference(
        self, *, source: str = "given", created: str = "", model: str = "", timestamp: str = ""
    ) -> Reference:
        """The reference so far."""
        features = {name: column.profile() for name, column in self._features.items()}
        for name, columns in self._texts.items():
            if name in features and features[name].type is ColumnType.TEXT:
                numbers = {column.name: column.profile(type=ColumnType.NUMBER) for column in columns}
                vocabulary, share = self._words[name]
                numbers[share.name] = share.profile(type=ColumnType.NUMBER)
                features |= {n: p for n, p in numbers.items() if n not in features and p.shares}
                features[name] = replace(features[name], words=vocabulary.known)
        outputs = {name: column.profile(output=True) for name, column in self._outputs.items()}
        outputs |= {name: p for name, p in self._vectors.profiles().items() if name not in outputs}
        return Reference(self.rows, features, outputs, source, created, model, timestamp)

    def _describe(self, name: str, values: Sequence[Any] | np.ndarray) -> None:
        """What texts look like, as features of their own, should the column turn out to be text."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub" and name not in self._texts:
            return
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        columns = self._texts.get(name)
        if columns is None:
            if not any(type(value) is str for value in plain) or len(self._texts) >= MAX_TEXTS:
                return
            columns = [ColumnBuilder(name + suffix, self._sample_rows) for suffix in SUFFIXES]
            for column in columns:
                column.add_nulls(self.rows)
            self._texts[name] = columns
            self._words[name] = Vocabulary(), ColumnBuilder(name + UNKNOWN_WORDS, self._sample_rows)
        self._count_words([value for value in plain if isinstance(value, str)], *self._words[name])
        for column, numbers in zip(columns, statistics(plain), strict=True):
            column.add(numbers)

    def _count_words(self, texts: list[str], vocabulary: Vocabulary, share: ColumnBuilder) -> None:
        """The first texts teach; of the others it is counted what they have that these had not."""
        for at in range(0, len(texts), WORDS_AT_A_TIME):
            part = texts[at : at + WORDS_AT_A_TIME]
            if vocabulary.known:
                share.add(unknown(part, vocabulary.known))
            vocabulary.learn(part)

    def _column(self, columns: dict[str, ColumnBuilder], name: str, before: int) -> ColumnBuilder:
        column = columns.get(name)
        if column is None:
            column = ColumnBuilder(name, self._sample_rows)
            column.add_nulls(before)
            if len(columns) < MAX_COLUMNS:
                columns[name] = column
        return column


def _plain_numbers(values: Sequence[Any] | np.ndarray) -> np.ndarray | None:
    """The values as an array when all are plain numbers, which is the rule; else None."""
    if isinstance(values, np.ndarray):
        return values.astype(np.float64) if values.dtype.kind in "fiu" else None
    if not values or not set(map(type, values)) <= {int, float}:
        return None
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:  # an integer larger than any float
        return None


def _edges(sample: np.ndarray) -> list[float]:
    """Inner edges of at most 20 bins: quantiles, or the values themselves when they are few."""
    values = np.unique(sample)
    if len(values) == 1:
        # A constant still has a below and an above.
        return [float(np.nextafter(values[0], -np.inf)), float(values[0])]
    if len(values) <= DISCRETE_VALUES:
        return [float(value) for value in values[:-1]]
    quantiles = np.quantile(sample, np.arange(1, BINS) / BINS, method="lower")
    # The highest bin must hold something, or one value would be two edges.
    return [float(edge) for edge in np.unique(quantiles) if edge < values[-1]]


def _is_timestamp(text: str) -> bool:
    # ISO 8601 is at least a date; the first character is tested before the parser, for speed.
    if not 10 <= len(text) <= 40 or not text[0].isdigit():
        return False
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return False
    return _OLDEST <= moment <= _NEWEST


def increasing(values: Iterable[float]) -> bool:
    """Whether each value is greater than the one before."""
    return all(low < high for low, high in pairwise(values))
