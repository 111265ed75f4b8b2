"""Alerts about what a model answers, against the day before: collapsed, or moved.

Drift compares with a reference and is decided by the sidecar. These need no reference and are coarser on
purpose: a model that gives everybody the same answer, a score that has jumped by its own standard deviation.
The trap: a regression may live in one bin of the fixed grid for good, so collapse needs a yesterday in
which it did not.
"""

from sidecar import catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity

# Nearly all answers in one class or bin, where yesterday at most four in five were.
COLLAPSED, BEFORE = "0.98", "0.8"
MIN_PREDICTIONS = 100
# A standard deviation of the score itself, and four of what its mean did yesterday: the time of day is none.
MOVED, NOISE = 1, 4
# Twice as wide, or half.
WIDER, NARROWER = "2", "0.5"

_OUTPUT = by("model_name", "output")
_TOP, _COUNT = "model:inference_prediction_top:ratio", "model:inference_predictions:increase"
_MEAN, _SPREAD = "model:inference_prediction_mean:avg", "model:inference_prediction_stddev:avg"


def groups(durations: Durations, links: Links) -> list[Group]:
    """The largest class or bin, mean, spread, and the alerts on them."""
    shares = [_top(window, durations) for window in ("5m", "30m")]
    scores = [
        Record(_MEAN, f"avg {_OUTPUT} ({catalog.PREDICTION_MEAN.name})"),
        Record(_SPREAD, f"avg {_OUTPUT} ({catalog.PREDICTION_STDDEV.name})"),
    ]
    alerts = [_collapsed(durations, links), _moved(durations, links), *_spread(durations, links)]
    rules: list[Record | Alert] = [_count(durations), *shares, *scores, *alerts]
    return [Group("inference-scores", durations.wait("1m"), _WHY, rules)]


def _count(durations: Durations) -> Record:
    made = f"{catalog.PREDICTIONS.name}[{durations.window('30m')}]"
    return Record(f"{_COUNT}30m", f"sum {_OUTPUT} (increase({made}))")


def _top(window: str, durations: Durations) -> Record:
    """Of classes where there are any, else of bins."""
    span = durations.window(window)
    classes = f'{catalog.PREDICTIONS.name}{{class!=""}}[{span}]'
    bins = f'{catalog.DISTRIBUTION_ROWS.name}{{kind="output"}}[{span}]'
    of_classes = _largest(classes, "output", "class")
    of_bins = _largest(bins, "name", "bin", "profile").replace("\n", "\n  ")
    renamed = f'label_replace(\n  {of_bins},\n  "output", "$1", "name", "(.*)"\n)'
    return Record(f"{_TOP}{window}", f"{of_classes}\nor\nsum {_OUTPUT} ({renamed})")


def _largest(series: str, name: str, *parts: str) -> str:
    share = f"sum {by('model_name', name, *parts)} (increase({series}))"
    every = f"sum {by('model_name', name)} (increase({series}))"
    return f"max {by('model_name', name)} ({share})\n/\n{every}"


def _alert(
    name: str, expr: str, text: tuple[str, str], durations: Durations, links: Links, **labels: str
) -> Alert:
    summary, description = text
    return Alert(
        name,
        f"{expr}\nand {_COUNT}30m >= {MIN_PREDICTIONS}",
        Severity.TICKET,
        f"{words.MODEL}: {summary}",
        f"{description}{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait("5m"),
        labels={**labels, **about_model.OWNER},
    )


def _collapsed(durations: Durations, links: Links) -> Alert:
    expr = (
        f"{_TOP}30m >= {COLLAPSED}\nand {_TOP}5m >= {COLLAPSED}\n"
        f"and avg_over_time({_TOP}30m{_yesterday(durations)}) < {BEFORE}"
    )
    text = (
        f"the prediction {words.OUTPUT} has collapsed",
        f"{words.SHARE} of the predictions {words.OUTPUT} of {words.MODEL} in the last "
        f"{durations.window('30m')} are the same class or in the same bin; yesterday they were spread.",
    )
    return _alert("InferencePredictionsCollapsed", expr, text, durations, links)


def _moved(durations: Durations, links: Links) -> Alert:
    before = _yesterday(durations)
    usual, spread = f"avg_over_time({_MEAN}{before})", f"avg_over_time({_SPREAD}{before})"
    long, short = (f"abs(avg_over_time({_MEAN}[{durations.window(w)}]) - {usual})" for w in ("30m", "5m"))
    expr = (
        f"{long} > {MOVED} * {spread}\nand {short} > {MOVED} * {spread}\n"
        f"and {long} > {NOISE} * stddev_over_time({_MEAN}{before})\nand {spread} > 0"
    )
    text = (
        f"the mean of the score {words.OUTPUT} has jumped",
        f"The mean of {words.OUTPUT}, an output of {words.MODEL}, is off yesterday's by {words.VALUE}: more "
        f"than a standard deviation of the score.",
    )
    return _alert("InferenceScoreShifted", expr, text, durations, links, moment="mean")


def _spread(durations: Durations, links: Links) -> list[Alert]:
    before = _yesterday(durations)
    usual = f"avg_over_time({_SPREAD}{before})"
    long, short = (f"avg_over_time({_SPREAD}[{durations.window(w)}])" for w in ("30m", "5m"))
    noise = f"and abs({long} - {usual}) > {NOISE} * stddev_over_time({_SPREAD}{before})\nand {usual} > 0"
    found = []
    for moment, compare, factor in (("wider", ">", WIDER), ("narrower", "<", NARROWER)):
        expr = f"{long} {compare} {factor} * {usual}\nand {short} {compare} {factor} * {usual}\n{noise}"
        text = (
            f"the score {words.OUTPUT} is {moment} than yesterday",
            f"The standard deviation of {words.OUTPUT}, an output of {words.MODEL}, is {words.VALUE}: "
            f"{_SPREADS[moment]} yesterday's.",
        )
        found.append(_alert("InferenceScoreShifted", expr, text, durations, links, moment=moment))
    return found


def _yesterday(durations: Durations) -> str:
    return f"[{durations.window('1d')}] offset {durations.window('1h')}"


_SPREADS = {"wider": "more than twice", "narrower": "less than half of"}
_WHY = """
How the predictions of each output are spread: the share of the largest class or bin, mean, deviation.
"""
