"""The drift budget in words: what is understood, and what a mistake is told."""

import pytest

from sidecar.config.budget import budget, seconds_between

DAY, YEAR = 86400.0, 365.25 * 86400.0


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("1 false page per model per year", YEAR),
        ("2 false pages per model per year", YEAR / 2),
        ("1 False Page  per model per DAY", DAY),
        ("0.5 false pages per model per week", 14 * DAY),
        ("1 false page per model per month", YEAR / 12),
        ("12 false pages per model per hour", 300.0),
    ],
)
def test_words_become_the_seconds_between_two_false_pages(words: str, seconds: float):
    assert seconds_between(budget(words)) == pytest.approx(seconds)
    assert budget(budget(words)) == budget(words)


@pytest.mark.parametrize(
    "words",
    ["", "1", 1, None, "1 per year", "one false page per model per year", "1 false page per model per age",
     "1 false page per fleet per year", "-1 false pages per model per day", [], {"a": 1}],
)  # fmt: skip
def test_what_is_no_budget_is_told_what_would_be_one(words: object):
    with pytest.raises(ValueError, match="give N false pages per model per hour, day, week, month or year"):
        budget(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("0 false pages per model per year", "evidence without end"),
        ("1000 false pages per model per hour", "60 false pages"),
        ("0.0001 false pages per model per year", "0.001 per year"),
    ],
)
def test_what_cannot_be_kept_or_is_no_use_is_refused(words: str, said: str):
    with pytest.raises(ValueError, match=said):
        budget(words)
