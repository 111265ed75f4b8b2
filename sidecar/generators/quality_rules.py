"""Alerts about live quality, from labels that come after the predictions: fallen, and no longer known.

Whether quality has fallen is decided in the sidecar; replicas are weighted by the labels that each has seen,
because a job that posts labels may reach one more often than another. Whether labels still come is decided
here, against the days before. All are tickets: a label is about a prediction that was made long ago. The
trap: labels come by the minute, by the night or on workdays, and silence means something else in each.
"""

from sidecar import catalog_labels as catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.model_rules import QUORUM
from sidecar.generators.rule import Alert, Group, Record, Severity
from sidecar.generators.traffic_rules import RATE

# Twenty a day are a habit; fewer are somebody trying it out.
MIN_LABELS = 20
# Around the clock, but for two hours in which a job was late.
HOURS_OF_DAY = 22
# Three times as late as in the week before, and by a quarter of an hour at least.
LATER_FACTOR, LATER_SECONDS = 3, 900

_MODEL, _VERSION = by("model_name"), by("model_name", "model_version")
_MATCHED = "model:inference_labels_matched:increase1h"
_LAG = "model:inference_label_lag_seconds:mean"


def groups(durations: Durations, links: Links) -> list[Group]:
    """Fallen, stopped, late."""
    rules: list[Record | Alert] = [
        *_recordings(durations),
        _degraded(durations, links),
        _stopped_by_the_hour(durations, links),
        _stopped_by_the_day(durations, links),
        _late(durations, links),
    ]
    return [Group("inference-quality", durations.wait("1m"), _WHY, rules)]


def _recordings(durations: Durations) -> list[Record]:
    matched = f'{catalog.LABELS.name}{{state="matched"}}[{durations.window("1h")}]'
    return [
        Record(_MATCHED, f"sum {_MODEL} (increase({matched}))"),
        *(_mean_lag(window, durations) for window in ("1h", "6h")),
    ]


def _mean_lag(window: str, durations: Durations) -> Record:
    total, count = (
        f"sum {_MODEL} (increase({catalog.LABEL_LAG.name}_{part}[{durations.window(window)}]))"
        for part in ("sum", "count")
    )
    # `> 0`: a mean of nothing is no number, and one of these would spoil the average of a week.
    return Record(f"{_LAG}{window}", f"{total}\n/\n({count} > 0)")


def _alert(
    name: str, expr: str, text: tuple[str, str], wait: str, durations: Durations, links: Links, **labels: str
) -> Alert:
    summary, description = text
    return Alert(
        name,
        expr,
        Severity.TICKET,
        f"{words.MODEL}: {summary}",
        f"{description}{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait(wait),
        labels={**labels, **about_model.OWNER},
    )


def _degraded(durations: Durations, links: Links) -> Alert:
    fallen, labels = catalog.QUALITY_DEGRADED.name, catalog.QUALITY_LABELS.name
    text = (
        "its predictions turn out wrong more often than they used to",
        f"Of the labelled predictions of {words.MODEL} (version {words.VERSION}) {words.SHARE} are on "
        "replicas that find their quality fallen.",
    )
    expr = f"sum {_VERSION} ({fallen} * {labels})\n/\nsum {_VERSION} ({labels})\n>= {QUORUM}"
    return _alert("InferenceQualityDegraded", expr, text, "2m", durations, links)


def _stopped_by_the_hour(durations: Durations, links: Links) -> Alert:
    day, hour, gap, week = (durations.window(nominal) for nominal in ("1d", "1h", "3h", "7d"))
    expr = (
        f"sum_over_time({_MATCHED}[{day}:{hour}] offset {gap}) >= {MIN_LABELS}\n"
        f"and sum_over_time(({_MATCHED} > bool 0)[{day}:{hour}] offset {gap}) >= {HOURS_OF_DAY}\n"
        f"{_none_since(gap, f'{_MATCHED} offset {week}')}"
    )
    return _stopped(expr, gap, durations, links, usual="hourly")


def _stopped_by_the_day(durations: Durations, links: Links) -> Alert:
    # Two hours more than a day: the job may be late.
    day, hour, gap, week = (durations.window(nominal) for nominal in ("1d", "1h", "26h", "7d"))
    days = (
        f"sum_over_time({_MATCHED}[{day}:{hour}] offset {durations.window(before)}) >= {MIN_LABELS}"
        for before in ("26h", "50h")
    )
    expr = "\nand ".join(days) + f"\n{_none_since(gap, f'max_over_time({_MATCHED}[{day}] offset {week})')}"
    return _stopped(expr, gap, durations, links, usual="daily")


def _none_since(gap: str, last_week: str) -> str:
    """`unless`, not `== 0`: after a restart there is no series. Nor were there any at this time last week."""
    return f"unless max_over_time({_MATCHED}[{gap}]) > 0\nunless {last_week} == 0\nand {RATE}1h > 0"


def _stopped(expr: str, gap: str, durations: Durations, links: Links, *, usual: str) -> Alert:
    text = (
        "labels have stopped coming, its quality is unknown",
        f"No label has found a prediction of {words.MODEL} for {gap}; in the day before {words.COUNT} did.",
    )
    return _alert("InferenceLabelsStopped", expr, text, "10m", durations, links, usual=usual)


def _late(durations: Durations, links: Links) -> Alert:
    day, week, hour = (durations.window(nominal) for nominal in ("1d", "7d", "1h"))
    usual = f"{LATER_FACTOR} * avg_over_time({_LAG}6h[{week}] offset {day}) + {LATER_SECONDS}"
    text = (
        "labels come later than they used to",
        f"Labels of {words.MODEL} came {words.SECONDS} after their predictions on average, over "
        f"{durations.window('6h')}: more than {LATER_FACTOR} times as late as in the week before. Its "
        "quality is known that much later.",
    )
    expr = (
        f"{_LAG}6h > {usual}\nand {_LAG}1h > {usual}\n"
        f"and sum_over_time({_MATCHED}[{durations.window('6h')}:{hour}]) >= {MIN_LABELS}"
    )
    return _alert("InferenceLabelsLate", expr, text, "15m", durations, links)


_WHY = """
Labels that found their prediction, how late they came, and what they say about the predictions.
"""
