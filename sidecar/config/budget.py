"""How many false pages of drift are borne, in words: "1 false page per model per year".

What it is not: a threshold; that takes the rate of batches, too.
"""

import re
from typing import Any

from sidecar.config.values import refusal

_PERIODS = {"hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 365.25 / 12 * 86400.0,
            "year": 365.25 * 86400.0}  # fmt: skip
_WORDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) false pages? per model per (hour|day|week|month|year)")
_WANT = "N false pages per model per hour, day, week, month or year, such as 1 false page per model per year"
# Beyond the shortest nobody reads pages any more; a thousand years need a third more evidence than one.
_SHORTEST, _LONGEST = 60.0, 1000 * _PERIODS["year"]


def budget(value: Any) -> str:
    """The budget, its spaces and letters made even. Raises ValueError with the rest of a sentence."""
    words = " ".join(str(value).lower().split())
    found = _WORDS.fullmatch(words)
    if found is None:
        raise refusal(value, _WANT)
    if float(found[1]) == 0:
        raise ValueError("0 would take evidence without end; give a small number, or drift.page: false")
    if not _SHORTEST <= seconds_between(words) <= _LONGEST:
        raise refusal(value, "something between 60 false pages per model per hour and 0.001 per year")
    return words


def seconds_between(words: str) -> float:
    """The mean seconds between two false pages of a budget that `budget` gave."""
    number, *_, period = words.split()
    return _PERIODS[period] / float(number)
