"""Expressions are checked when they are configured, and bounded when they are evaluated."""

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.expression import Expression
from sidecar.inference import Undecoded


def test_an_expression_finds_what_is_there_and_none_where_nothing_is():
    assert Expression("a.rows[*].x").search({"a": {"rows": [{"x": 1}, {"x": 2}]}}) == [1, 2]
    assert Expression("a.b").search([1]) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty expression finds nothing"),
        ("a[", "it ends too early"),
        ("a..b", "'.' at character 3 is not expected there"),
        ("rows[*].x y", "'y' at character 11 is not expected there"),
        ("a.'x", "unclosed ' delimiter at character 3"),
        ("rows[*].count(@)", "JMESPath has no function count()"),
        ("a[?length(x, y) > `1`]", "length() takes 1 arguments, not 2"),
        ("(" * 5_000, "nested too deep"),
    ],
)
def test_a_bad_expression_is_told_with_its_place(text, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        Expression(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "found"), [("length(a)", 123456), ("a[?b > `1`]", [{"b": "123456"}]), ("sort(a)", [1, "123456"])]
)
def test_what_is_given_the_wrong_type_is_a_reason_that_quotes_no_payload(text, found):
    with pytest.raises(Undecodable) as caught:
        Expression(text).search({"a": found})
    assert caught.value.reason is Undecoded.SHAPE
    assert "123456" not in str(caught.value)


def test_a_document_that_takes_too_many_steps_is_given_up():
    with pytest.raises(Undecodable) as caught:
        Expression("[*].x").search([1] * 500_000)
    assert caught.value.reason is Undecoded.TOO_MANY_ROWS
    assert len(Expression("rows[].x").search({"rows": [{"x": 1}] * 40_000})) == 40_000


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)
TEXTS = [
    "a",
    "a[].b",
    "*.c",
    "a[?b > `1`]",
    "sort_by(a, &b)",
    "join(',', a)",
    "{x: a, y: b}",
    "max(a)",
    "a | [0]",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), documents)
def test_any_document_is_searched_or_has_a_reason(text, document):
    with contextlib.suppress(Undecodable):
        Expression(text).search(document)
