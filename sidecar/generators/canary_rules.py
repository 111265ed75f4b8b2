"""A canary beside the stable version: errors, latency, features, predictions, and a ticket when it is worse.

Which is which is said by the label `track` (`canary`, `stable`), which the scrape configuration takes from
the pods; the sidecar does not know. Without the label these rules are silent. The trap: a canary gets few
requests, so every comparison wants enough of them on its side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sidecar import catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity

# Ten failures are not chance, and a hundred answers have a mean worth comparing.
MIN_BAD, MIN_ANSWERS = 10, 100
# With five hundred rows in ten bins the total variation of two equal samples is 0.05; 0.15 is another model.
MIN_ROWS, DIVERGED = 500, "0.15"

_TRACK = by("model_name", "track")
_CANARY, _STABLE = '{track="canary"}', '{track="stable"}'
_ERRORS, _BAD = "track:inference_errors:ratio", "track:inference_bad_events:increase"
_LATENCY, _ANSWERS = "track:inference_latency_seconds:mean", "track:inference_answers:increase"
_COMPLETE, _ROWS = "track:inference_rows_complete:ratio", "track:inference_rows:increase"
_BIN = "track:inference_prediction_bin:ratio"
DIVERGENCE = "model:inference_canary_divergence:tv"


@dataclass(frozen=True, slots=True)
class _Signal:
    name: str
    expr: str
    summary: str
    text: str


def groups(durations: Durations, links: Links) -> list[Group]:
    """Recordings by track, and one alert with a label `signal`."""
    rules = [rule for window in ("10m", "30m") for rule in _recordings(window, durations)]
    alerts = [_alert(signal, durations, links) for signal in _signals(durations)]
    return [Group("inference-canary", durations.wait("1m"), _WHY, [*rules, *alerts])]


def _recordings(window: str, durations: Durations) -> Iterator[Record]:
    span = durations.window(window)

    def total(name: str, matchers: str = "", grouping: str = _TRACK) -> str:
        selector = ",".join(filter(None, [matchers, 'track!=""']))
        return f"sum {grouping} (increase({name}{{{selector}}}[{span}]))"

    events, duration = catalog.SLO_EVENTS.name, catalog.REQUEST_DURATION.name
    about = 'slo="availability"'
    yield Record(f"{_BAD}{window}", total(events, f'{about},result="bad"'))
    yield Record(f"{_ERRORS}{window}", f"{_BAD}{window}\n/\n{total(events, about)}")
    ok = 'outcome="ok"'
    yield Record(f"{_ANSWERS}{window}", total(f"{duration}_count", ok))
    yield Record(f"{_LATENCY}{window}", f"{total(f'{duration}_sum', ok)}\n/\n{_ANSWERS}{window}")
    yield Record(f"{_ROWS}{window}", total(catalog.ROWS.name))
    yield Record(f"{_COMPLETE}{window}", f"{total(catalog.ROWS_COMPLETE.name)}\n/\n{_ROWS}{window}")
    if window == "30m":
        bins = by("model_name", "track", "name", "profile", "bin")
        rows = total(catalog.DISTRIBUTION_ROWS.name, 'kind="output"', bins)
        whole = by("model_name", "track", "name", "profile")
        yield Record(f"{_BIN}{window}", f"{rows}\n/ ignoring (bin) group_left ()\nsum {whole} (\n  {rows}\n)")
        yield Record(f"{DIVERGENCE}{window}", _divergence(f"{_BIN}{window}"))


def _divergence(share: str) -> str:
    """Total variation; a bin that only one side has counts in full."""
    canary, stable = (f"sum without (track) ({share}{at})" for at in (_CANARY, _STABLE))
    grouping = by("model_name", "name", "profile")
    return f"0.5 * sum {grouping} (\n  abs({canary} - {stable})\n  or {canary}\n  or {stable}\n)"


def _signals(durations: Durations) -> Iterator[_Signal]:
    span = durations.window("30m")
    yield _Signal(
        "errors",
        _worse(_ERRORS, ">", "2 * {stable} + 0.005")
        + f"\nand ignoring (track) {_BAD}30m{_CANARY} >= {MIN_BAD}",
        "its canary fails more often than the stable version",
        f"{words.SHARE} of the requests to the canary of {words.MODEL} failed in the last {span}: more than "
        "twice the share of the stable version.",
    )
    enough = f"\nand ignoring (track) {_ANSWERS}30m{_CANARY} >= {MIN_ANSWERS}"
    yield _Signal(
        "latency",
        _worse(_LATENCY, ">", "1.5 * {stable} + 0.005") + enough,
        "its canary is slower than the stable version",
        f"The canary of {words.MODEL} answers in {words.SECONDS} on average, over {span}: more than one "
        "and a half times the stable version.",
    )
    enough = f"\nand ignoring (track) {_ROWS}30m{_CANARY} >= {MIN_ANSWERS}"
    yield _Signal(
        "feature_availability",
        _worse(_COMPLETE, "<", "{stable} - 0.01") + enough,
        "its canary lacks features that the stable version has",
        f"Only {words.SHARE} of the rows of the canary of {words.MODEL} were complete in the last {span}; of "
        "the stable version more.",
    )
    yield _Signal(
        "predictions",
        f"{DIVERGENCE}30m > {DIVERGED}\nand on (cluster, namespace, job, model_name) "
        f"{_ROWS}30m{_CANARY} >= {MIN_ROWS}",
        f"its canary predicts {words.NAME} differently from the stable version",
        f"The predictions {words.NAME} of the canary of {words.MODEL} and of the stable version differ by "
        f"{words.SHARE} (total variation, over {span}).",
    )


def _worse(recorded: str, compare: str, limit: str) -> str:
    """On both windows; `ignoring` leaves the track out of the alert's labels."""
    sides = []
    for window in ("30m", "10m"):
        canary = f"sum without (track) ({recorded}{window}{_CANARY})"
        stable = f"sum without (track) ({recorded}{window}{_STABLE})"
        sides.append(f"{canary} {compare} {limit.format(stable=stable)}")
    return "\nand ".join(sides)


def _alert(signal: _Signal, durations: Durations, links: Links) -> Alert:
    name = "InferenceCanaryWorse"
    return Alert(
        name,
        signal.expr,
        Severity.TICKET,
        f"{words.MODEL}: {signal.summary}",
        f"{signal.text}{about_model.notes(durations)}",
        links.annotations(name, model=True),
        wait=durations.wait("5m"),
        labels={"signal": signal.name, **about_model.OWNER},
    )


_WHY = """
Canary against stable, where pods say which they are (label `track`).
"""
