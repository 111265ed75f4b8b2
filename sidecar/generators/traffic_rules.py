"""Alerts about how much a model is asked: against the same hour last week, and against itself.

None of them pages: a model that nobody asks fails nobody, and whoever cannot ask has an alert of his own.
The trap: a new installation has no last week; the rules are then silent, but for traffic that vanishes.
"""

from sidecar import catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity

# A third, or three times: weekdays differ from each other by less, a campaign or a lost caller by more.
FACTOR = {"low": "0.3", "high": "3"}
# A hundred an hour. Below, an hour is lower or higher by chance.
MIN_PER_SECOND = "100 / 3600"
# Open exchanges against the busiest twentieth of yesterday, and enough to be a queue at all.
SATURATED_FACTOR, MIN_IN_FLIGHT = 3, 10

_MODEL = by("model_name")
RATE = "model:inference_requests:rate"
_OPEN = "model:inference_requests_in_flight:sum"


def groups(durations: Durations, links: Links) -> list[Group]:
    """Rates, unusual volume, vanished traffic, saturation."""
    rates = [_rate(window, durations) for window in ("15m", "1h")]
    alerts = [_unusual(change, durations, links) for change in FACTOR]
    saturation: list[Record | Alert] = [
        Record(_OPEN, f"sum {_MODEL} ({catalog.IN_FLIGHT.name})"),
        _saturated(durations, links),
    ]
    return [
        Group(
            "inference-traffic",
            durations.wait("1m"),
            _WHY,
            [*rates, *alerts, _vanished(durations, links)],
        ),
        Group("inference-saturation", durations.wait("30s"), _WHY_SATURATION, saturation),
    ]


def _rate(window: str, durations: Durations) -> Record:
    requests = f"{catalog.REQUESTS.name}[{durations.window(window)}]"
    return Record(f"{RATE}{window}", f"sum {_MODEL} (rate({requests}))")


def _unusual(change: str, durations: Durations, links: Links) -> Alert:
    name, week = "InferenceTrafficUnusual", durations.window("7d")
    compare, last_week = ("<" if change == "low" else ">"), f"{RATE}1h offset {week}"
    enough = last_week if change == "low" else f"{RATE}1h"
    return Alert(
        name,
        f"{RATE}1h {compare} {FACTOR[change]} * {last_week}\n"
        f"and {RATE}15m {compare} {FACTOR[change]} * {last_week}\n"
        f"and {enough} > {MIN_PER_SECOND}",
        Severity.TICKET,
        f"{words.MODEL}: traffic is unusually {change} for this hour of the week",
        f"{words.MODEL} is asked {words.VALUE} times a second: {_COMPARED[change]} a week ago."
        f"{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait("15m"),
        labels={"change": change, **about_model.OWNER},
    )


def _vanished(durations: Durations, links: Links) -> Alert:
    name, hour, week = "InferenceTrafficVanished", durations.window("1h"), durations.window("7d")
    return Alert(
        name,
        f"{RATE}1h offset {hour} > {MIN_PER_SECOND}\nunless {RATE}15m > 0\n"
        f"unless {RATE}1h offset {week} == 0",
        Severity.TICKET,
        f"{words.MODEL}: nobody asks any more",
        f"{words.MODEL} was asked {words.VALUE} times a second an hour ago, and not once in the last "
        f"{durations.window('15m')}.{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait("10m"),
        labels=about_model.OWNER,
    )


def _saturated(durations: Durations, links: Links) -> Alert:
    name = "InferenceSaturated"
    day = f"[{durations.window('1d')}] offset {durations.window('1h')}"
    usual = f"{SATURATED_FACTOR} * quantile_over_time(0.95, {_OPEN}{day})"
    long, short = durations.window("10m"), durations.window("2m")
    return Alert(
        name,
        f"avg_over_time({_OPEN}[{long}]) > {usual}\n"
        f"and avg_over_time({_OPEN}[{short}]) > {usual}\n"
        f"and avg_over_time({_OPEN}[{long}]) >= {MIN_IN_FLIGHT}",
        Severity.TICKET,
        f"{words.MODEL}: requests pile up",
        f"{words.VALUE} inferences of {words.MODEL} are open at a time, over {long}: more than "
        f"{SATURATED_FACTOR} times what is usual at its busiest.{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait("5m"),
        labels=about_model.OWNER,
    )


_COMPARED = {"low": "less than a third of this hour", "high": "more than three times this hour"}
_WHY = """
How much each model is asked, and how much it was asked at this hour a week ago.
"""
_WHY_SATURATION = """
Nobody tells us how much a server can take at once; what it had open yesterday does.
"""
