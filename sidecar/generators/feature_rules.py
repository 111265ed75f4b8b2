"""Alerts about the values of features, each against the day before: no reference and no list is needed.

Features that the model cannot do without have an objective of their own; here is everything else. All say
the same of different states: the share of such values is higher than yesterday's, over half an hour and
still over five minutes, and there are enough of them. The trap: a feature is not judged in its first hour,
because nobody knows yet what is usual for it.
"""

from dataclasses import dataclass
from decimal import Decimal

from sidecar import catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity

# Twenty are not chance in half an hour; a row in three minutes is too little to say anything.
MIN_VALUES = 20
# Half more than yesterday: what is null in 40 % of rows is null in 45 % on some afternoons.
USUAL_FACTOR = "1.5"
# A feature that does not vary in so many values has stopped varying; a burst of one caller has fewer.
MIN_CONSTANT = 200

_FEATURE = by("model_name", "feature")
_STATE = by("model_name", "feature", "state")
_COUNT, _SHARE = "model:inference_feature_values:increase", "model:inference_feature_state:ratio"
_RANGE = "model:inference_feature_range:max"


@dataclass(frozen=True, slots=True)
class Surge:
    """Values in these states, by so much more than usual, mean this."""

    alert: str
    states: tuple[str, ...]
    more: Decimal
    summary: str
    what: str


SURGES = (
    # One in twenty: a failed join of one source is seldom less.
    Surge(
        "InferenceFeatureNullSurge",
        ("missing", "null", "nan"),
        Decimal("0.05"),
        "is missing or null more often than yesterday",
        "missing, null or NaN",
    ),
    # These are nearly always zero; one in a hundred is a caller, not an accident.
    Surge(
        "InferenceFeatureTypeChanged",
        ("wrong_type",),
        Decimal("0.01"),
        "arrives with another type",
        "of another type than expected",
    ),
    Surge(
        "InferenceFeatureUnseenCategories",
        ("unseen_category",),
        Decimal("0.01"),
        "has categories that the model was not made with",
        "categories that neither the reference nor the configuration lists",
    ),
    Surge(
        "InferenceFeatureOutOfRange",
        ("out_of_range", "inf"),
        Decimal("0.01"),
        "leaves its range",
        "out of range or infinite",
    ),
)


def groups(durations: Durations, links: Links) -> list[Group]:
    """What is usual, and the alerts that compare with it."""
    surges = [_surge(surge, durations, links) for surge in SURGES]
    rules: list[Record | Alert] = [*_recordings(durations), *surges]
    return [
        Group("inference-features", durations.wait("1m"), _WHY, [*rules, _constant(durations, links)]),
        Group("inference-features-usual", durations.wait("5m"), _WHY_USUAL, _usual(durations)),
    ]


def _recordings(durations: Durations) -> list[Record]:
    rules: list[Record] = []
    for window in ("5m", "30m"):
        values = f"{catalog.FEATURE_VALUES.name}[{durations.window(window)}]"
        count = f"{_COUNT}{window}"
        share = f"{count}\n/ ignoring (state) group_left ()\nsum {_FEATURE} ({count})"
        rules += [Record(count, f"sum {_STATE} (increase({values}))"), Record(f"{_SHARE}{window}", share)]
    high, low = catalog.FEATURE_MAX.name, catalog.FEATURE_MIN.name
    return [*rules, Record(_RANGE, f"max {_FEATURE} ({high})\n-\nmin {_FEATURE} ({low})")]


def _usual(durations: Durations) -> list[Record]:
    day = f"[{durations.window('1d')}] offset {durations.window('1h')}"
    return [Record(f"{_SHARE}_avg1d", f"avg_over_time({_SHARE}30m{day})")]


def _surge(surge: Surge, durations: Durations, links: Links) -> Alert:
    at = f'{{state=~"{"|".join(surge.states)}"}}'
    usual = f"{USUAL_FACTOR} * sum {_FEATURE} ({_SHARE}_avg1d{at}) + {surge.more}"
    return Alert(
        surge.alert,
        f"sum {_FEATURE} ({_SHARE}30m{at}) > {usual}\n"
        f"and sum {_FEATURE} ({_SHARE}5m{at}) > {usual}\n"
        f"and sum {_FEATURE} ({_COUNT}30m{at}) >= {MIN_VALUES}",
        Severity.TICKET,
        f"{words.MODEL}: the feature {words.FEATURE} {surge.summary}",
        f"In the last {durations.window('30m')} {words.SHARE} of the values of {words.FEATURE}, a feature of "
        f"{words.MODEL}, were {surge.what}: more than yesterday, and it goes on "
        f"({durations.window('5m')}).{about_model.notes(durations)}",
        links.annotations(surge.alert, model=True),
        wait=durations.wait("2m"),
        labels=about_model.OWNER,
    )


def _constant(durations: Durations, links: Links) -> Alert:
    name = "InferenceFeatureConstant"
    at = '{state="valid"}'
    return Alert(
        name,
        f"{_RANGE} == 0\nand max_over_time({_RANGE}[{durations.window('1d')}]) > 0\n"
        f"and sum {_FEATURE} ({_COUNT}30m{at}) >= {MIN_CONSTANT}\n"
        f"and sum {_FEATURE} ({_COUNT}5m{at}) >= {MIN_VALUES}",
        Severity.TICKET,
        f"{words.MODEL}: the feature {words.FEATURE} has stopped varying",
        f"All values of {words.FEATURE}, a numeric feature of {words.MODEL}, are the same on every replica, "
        f"and were not within the last {durations.window('1d')}.{about_model.notes(durations)}",
        links.annotations(name, model=True),
        # Two of the sidecar's windows of a minute at most, and then some: a quiet quarter of an hour is none.
        wait=durations.wait("15m"),
        labels=about_model.OWNER,
    )


_WHY = """
Of the values of each feature, how many were in each state, as a number and as a share.
"""
_WHY_USUAL = """
What is usual: yesterday's average, without the last hour, so that a surge is not its own yardstick.
"""
