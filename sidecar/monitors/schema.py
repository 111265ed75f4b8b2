"""What is known of the columns of one model: their names, types and rules, and which are required.

A label-safe, bounded name is given here once, so that every row monitor downstream may use column names
as label values. The trap is trust: a request that the model refused may carry any feature name, and must
not add one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.batch import CleanColumn, State, no_states
from sidecar.metric import OTHER
from sidecar.monitors.clean import Rules, absent_column, availability, clean_column, rules_for
from sidecar.monitors.column_type import ColumnTypeVote
from sidecar.monitors.completeness import AlwaysPresent, complete_rows, required
from sidecar.names import Names, clean
from sidecar.policy import ModelPolicy
from sidecar.reference import ColumnProfile, ColumnType, Expectation, Reference
from sidecar.texts import SUFFIXES, UNKNOWN_WORDS, statistics
from sidecar.words import Vocabulary, unknown

# Wide tabular models have dozens to a few hundred features; 200 keep a pod's series affordable.
FEATURES_LIMIT = 200
# Outputs are few by nature; what has more is an embedding, and none of its columns means anything alone.
OUTPUTS_LIMIT = 50
# Text features of a model whose words are learnt: 128 kB each while that lasts.
VOCABULARIES_LIMIT = 10

_NOTHING_EXPECTED = Expectation()


class Columns:
    """The features, or the outputs, of one model."""

    def __init__(
        self,
        limit: int,
        expectations: Mapping[str, Expectation],
        *,
        integers_are_classes: bool = False,
        categories: frozenset[str] = frozenset(),
    ) -> None:
        self._categories = categories
        self._of_texts = not integers_are_classes  # of features; what a model writes is measured elsewhere
        self._limit = limit
        self._expectations = expectations
        self._classes = integers_are_classes
        self.use({}, given=False)

    def use(self, profiles: Mapping[str, ColumnProfile], *, given: bool) -> None:
        """Judge by this reference from now on; what traffic taught is learnt anew."""
        self._profiles = profiles
        self._given = given
        self._rules: dict[str, Rules] = {}
        self._types: dict[str, ColumnTypeVote] = {}
        # A vocabulary belongs to a reference: what the one in use does not have is not learnt beside it.
        self._words = {clean(name): Vocabulary(profile.words) for name, profile in profiles.items()}
        reserved = {*self._expectations, *profiles}
        self._names = Names(self._limit, reserved)
        self.expected = frozenset(clean(name) for name in reserved)

    def label(self, name: str, now: float, *, trusted: bool) -> str:
        """The label value of a column; `__other__` past the limit."""
        return self._names.admit(name, now, trusted=trusted)

    def clean(
        self, names: Sequence[str], values: Sequence[Sequence[Any]], now: float, *, trusted: bool
    ) -> tuple[dict[str, CleanColumn], npt.NDArray[np.int64]]:
        """The columns that have a name, cleaned, and the states of the values of those that have none."""
        columns: dict[str, CleanColumn] = {}
        others = no_states()
        texts: list[tuple[str, Sequence[Any]]] = []
        for name, column in zip(names, values, strict=True):
            label = self.label(name, now, trusted=trusted)
            if label == OTHER or label in columns:
                others += np.bincount(availability(column), minlength=len(others))
            else:
                columns[label] = clean_column(label, column, self._rules_for(name, label, column))
                if columns[label].type is ColumnType.TEXT and self._of_texts:
                    texts.append((name, column))
        for name, column in texts:
            self._describe(name, column, columns, now, trusted)
        return columns, others

    def _describe(
        self, name: str, texts: Sequence[Any], columns: dict[str, CleanColumn], now: float, trusted: bool
    ) -> None:
        """Add the columns that say what texts look like; what a client calls so itself has precedence."""
        if isinstance(texts, np.ndarray) or not any(type(text) is str for text in texts):
            return
        of = columns[clean(name)]
        for suffix, numbers in zip(SUFFIXES, statistics(texts), strict=True):
            label = self.label(name + suffix, now, trusted=trusted)
            if label != OTHER and label not in columns:
                columns[label] = _of_text(label, numbers, of)
        self._count_words(name, texts, columns, now, trusted)

    def _count_words(
        self, name: str, values: Sequence[Any], columns: dict[str, CleanColumn], now: float, trusted: bool
    ) -> None:
        """Add the column that says how many of a text's words are unknown, once a vocabulary is known."""
        of = columns[clean(name)]
        if of.name not in self._words and len(self._words) < VOCABULARIES_LIMIT and trusted:
            self._words[of.name] = Vocabulary()
        vocabulary = self._words.get(of.name)
        if vocabulary is None:
            return
        at = [i for i, value in enumerate(values) if isinstance(value, str)]
        texts = [values[i] for i in at]
        if not vocabulary.known:
            if trusted:
                vocabulary.learn(texts)
            return
        of.words = vocabulary.known
        label = self.label(name + UNKNOWN_WORDS, now, trusted=trusted)
        if label != OTHER and label not in columns:
            numbers = np.full(len(values), np.nan)
            numbers[at] = unknown(texts, vocabulary.known)
            columns[label] = _of_text(label, numbers, of)

    def absent(self, label: str, rows: int) -> CleanColumn:
        """The column of an expected feature that no row has."""
        return absent_column(label, rows, self._rules_for(label, label, []))

    def go_on(self, label: str, type: ColumnType, values: int) -> None:
        """So many values said before a restart that a column is of this type."""
        vote = self._types[label] = ColumnTypeVote(integers_are_classes=self._classes)
        vote.go_on(type, values)

    def expire(self, now: float) -> list[str]:
        """Forget names unused for a day and return them."""
        gone = self._names.expire(now)
        for label in gone:
            self._types.pop(label, None)
            self._rules.pop(label, None)
        return gone

    def _rules_for(self, name: str, label: str, values: Sequence[Any]) -> Rules:
        rules = self._rules.get(label)
        if rules is None:
            expectation = self._expectations.get(name, _NOTHING_EXPECTED)
            profile = self._profiles.get(name)
            known = expectation.type or (profile.type if profile else None) or _implied(expectation)
            if name in self._categories and known in (None, ColumnType.TEXT):
                known = ColumnType.CATEGORY  # traffic is divided by it: its levels count, however many
            rules = rules_for(known or ColumnType.TEXT, expectation, profile, given=self._given)
            if known:
                self._rules[label] = rules
            else:
                rules = self._voted(rules, label, values)
        return rules

    def _voted(self, rules: Rules, label: str, values: Sequence[Any]) -> Rules:
        vote = self._types.get(label)
        if vote is None:
            vote = self._types[label] = ColumnTypeVote(integers_are_classes=self._classes)
        return Rules(vote.see(values), rules.low, rules.high, rules.levels)


class Schema:
    """Everything known of one model's columns. `use` a reference, then clean and judge rows by it."""

    def __init__(self, policy: ModelPolicy) -> None:
        self._expectations = policy.expectations
        self._reference: Reference | None = None
        self._always = AlwaysPresent()
        divided_by = frozenset(segment.feature for segment in policy.segments if segment.feature)
        self.features = Columns(FEATURES_LIMIT, policy.expectations, categories=divided_by)
        self.outputs = Columns(OUTPUTS_LIMIT, {}, integers_are_classes=True)
        self._required = required(policy.expectations, frozenset())

    def use(self, reference: Reference | None) -> None:
        """Judge by this reference from now on; cheap when it is the one in use."""
        if reference is self._reference or reference is None:
            return
        self._reference = reference
        given = reference.source == "given"
        self.features.use(reference.features, given=given)
        self.outputs.use(reference.outputs, given=given)
        self._required = required(self._expectations, reference.features.values())

    def add_absent(self, features: dict[str, CleanColumn], rows: int) -> None:
        """Give every expected feature that the rows do not have a column that says so."""
        for label in (self.features.expected | self._required) - features.keys():
            features[label] = self.features.absent(label, rows)

    def complete(
        self, features: Mapping[str, CleanColumn], rows: int, *, trusted: bool, elsewhere: bool = False
    ) -> npt.NDArray[np.bool_]:
        """Which of the rows are complete; with features elsewhere, as far as can be seen."""
        if elsewhere:
            return complete_rows(features, self._required & features.keys(), rows)
        if self._reference is None and trusted:
            self._always.learn(features, rows)
            self._required = required(self._expectations, self._always.names)
        return complete_rows(features, self._required, rows)


def _of_text(label: str, numbers: npt.NDArray[np.float64], of: CleanColumn) -> CleanColumn:
    """A number of each text; what is no text has none."""
    no_text = np.isnan(numbers) & (of.states == State.VALID)
    states = np.where(no_text, np.uint8(State.WRONG_TYPE), of.states)
    return CleanColumn(label, ColumnType.NUMBER, states, numbers=numbers)


def _implied(expectation: Expectation) -> ColumnType | None:
    """The type that the operator implied by naming levels or bounds."""
    if expectation.values is not None:
        return ColumnType.CATEGORY
    if expectation.min is not None or expectation.max is not None:
        return ColumnType.NUMBER
    return None
