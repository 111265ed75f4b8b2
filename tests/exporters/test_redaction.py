import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.exporters.redaction import HASH_CHARACTERS, Redactor, Rule, RuleKind
from sidecar.inference import MISSING

KEEP, MASK, HASH = (Rule(kind) for kind in (RuleKind.KEEP, RuleKind.MASK, RuleKind.HASH))
BUCKET = Rule(RuleKind.BUCKET, (18.0, 30.0, 65.5))
REDACTOR = Redactor(b"a secret key of this test")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True), (3, 3), (0.5, 0.5), ("north", "north"), (None, "[null]"), (MISSING, None),
        (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True),
        ([1, 2], "[nested]"), ({"a": "alice@example.com"}, "[nested]"), (b"bytes", "[nested]"),
        ("alice@example.com", "[email]"), (4111111111111111, "[card]"),
    ],
)  # fmt: skip
def test_kept_are_plain_values_without_what_is_personal_in_them(value, expected):
    assert REDACTOR.apply("x", KEEP, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17.9, "<18"), (18, "[18,30)"), (30, "[30,65.5)"), (65.5, ">=65.5"), (math.inf, ">=65.5"),
        (math.nan, "[other]"), ("18", "[other]"), (True, "[other]"), (None, "[null]"),
        (np.float64(20), "[18,30)"),
    ],
)  # fmt: skip
def test_a_bucket_is_the_interval_a_number_lies_in(value, expected):
    assert REDACTOR.apply("x", BUCKET, value) == expected


@given(st.text(min_size=1, max_size=30))
def test_of_a_masked_value_only_its_presence_is_told(value):
    assert REDACTOR.apply("x", MASK, value) == "[masked]"


def test_a_hash_depends_on_value_field_and_key():
    hashed = REDACTOR.apply("x", HASH, "alice")

    assert isinstance(hashed, str)
    assert len(hashed) == HASH_CHARACTERS
    assert hashed == REDACTOR.apply("x", HASH, "alice")
    assert hashed != REDACTOR.apply("x", HASH, "bob")
    assert hashed != REDACTOR.apply("y", HASH, "alice")
    assert hashed != Redactor(b"another key").apply("x", HASH, "alice")
    assert REDACTOR.apply("x", HASH, 3) == REDACTOR.apply("x", HASH, 3.0)


def test_without_a_key_nothing_is_hashed():
    assert Redactor().apply("x", HASH, "alice") == "[masked]"


@given(st.text(max_size=20) | st.floats() | st.integers() | st.none() | st.binary())
def test_no_value_is_a_problem(value):
    for rule in (KEEP, MASK, HASH, BUCKET):
        REDACTOR.apply("x", rule, value)
