"""Two versions of a model side by side: is the candidate worse than the baseline?

`$baseline` and `$candidate` are chosen by hand, by default the lowest and the highest number. Which of
them is the canary is known to whoever deploys, not to the traffic.
"""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog
from sidecar.generators import canary_rules
from sidecar.generators.boards import deploys
from sidecar.generators.boards.columns import bin_shares, ordered
from sidecar.generators.boards.frame import choice, frame, one_model
from sidecar.generators.boards.panels import AMBER, GREEN, RED, About, Panel, Query, Steps, graph
from sidecar.generators.boards.queries import (
    BAD_OUTCOMES,
    MODEL,
    average,
    quantile_of,
    rate,
    recorded,
    share_or_none,
)
from sidecar.generators.boards.tables import Column, comparison, overview
from sidecar.generators.links import VERSIONS_UID, Links

_ABOUT = "A candidate against a baseline: errors, latency, rows, predictions and what they are made of."
_BOTH = 'model_version=~"$baseline|$candidate"'
_BASELINE, _CANDIDATE = 'model_version="$baseline"', 'model_version="$candidate"'
_BY = "model_version"
_LEGEND = "{{model_version}}"
_BAD: Steps = ((None, GREEN), (0.001, AMBER), (0.01, RED))


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    seen = f"label_values({catalog.MODEL_INFO.name}{{{MODEL}}}, model_version)"
    outputs = f"label_values({catalog.PREDICTIONS.name}{{{MODEL}}}, output)"
    rows = {
        "Side by side": [_table(), deploys.shares()],
        "What callers see": [_errors(), _latency(), _requests()],
        "What comes in and out": [_complete(), _unusable(), _divergence()],
        "$column": [_predictions(), _classes()],
        "Canary and stable, by a label of their pods": [
            _tracks(
                "Errors of canary and stable",
                "Share of failed requests, over ten minutes.",
                "track:inference_errors:ratio10m",
                "percentunit",
            ),
            _tracks(
                "Mean latency of canary and stable",
                "Of answers without an error, over ten minutes.",
                "track:inference_latency_seconds:mean10m",
                "s",
            ),
            _canary_distance(links),
        ],
    }
    return one_model(
        frame(VERSIONS_UID, "versions", _ABOUT, links, rows),
        choice("baseline", "Baseline", seen),
        choice("candidate", "Candidate", seen, last=True),
        choice("column", "Output", outputs),
    )


def _bad() -> str:
    where = f"{MODEL},{_BOTH}"
    good = share_or_none(catalog.REQUESTS, BAD_OUTCOMES, _BY)
    return good.replace(MODEL, where)


def _invalid() -> str:
    invalid = rate(catalog.PREDICTIONS_INVALID, _BY, where=_BOTH)
    return f"{invalid} / {rate(catalog.PREDICTIONS, _BY, where=_BOTH)}"


def _rows_complete() -> str:
    return f"{rate(catalog.ROWS_COMPLETE, _BY, where=_BOTH)} / {rate(catalog.ROWS, _BY, where=_BOTH)}"


def _table() -> Panel:
    about = About("Baseline and candidate", "The same numbers of both versions, now.", "none")
    columns = [
        Column("requests", rate(catalog.REQUESTS, _BY, where=_BOTH), "reqps"),
        Column("errors", _bad(), "percentunit", _BAD),
        Column("mean latency", average(catalog.REQUEST_DURATION, _BY, where=_BOTH), "s"),
        Column("p99", quantile_of("0.99", catalog.REQUEST_DURATION, _BY, where=_BOTH), "s"),
        Column("rows complete", _rows_complete(), "percentunit"),
        Column("unusable predictions", _invalid(), "percentunit", _BAD),
    ]
    return overview(about, (_BY,), columns, width=12, height=8)


def _errors() -> Panel:
    about = About("Errors", "Share of exchanges that the server failed, cut or never got.", "percentunit")
    return graph(about, Query(_bad(), _LEGEND), width=8)


def _latency() -> Panel:
    about = About("Latency", "Unary exchanges: half of them are faster, and all but one in a hundred.", "s")
    queries = (
        Query(
            quantile_of(q, catalog.REQUEST_DURATION, _BY, where=_BOTH),
            f"p{q[2:]:0<2} {_LEGEND}",
            exemplar=True,
        )
        for q in ("0.5", "0.99")
    )
    return graph(about, *queries, width=8)


def _requests() -> Panel:
    about = About("Requests", "Inference exchanges a second.", "reqps")
    return graph(about, Query(rate(catalog.REQUESTS, _BY, where=_BOTH), _LEGEND), width=8, stacked=True)


def _complete() -> Panel:
    about = About("Rows complete", "Share of rows with every required feature usable.", "percentunit")
    return graph(about, Query(_rows_complete(), _LEGEND), width=8)


def _unusable() -> Panel:
    about = About(
        "Predictions that cannot be used",
        "Share that is NaN, infinite, null or of the wrong shape.",
        "percentunit",
    )
    return graph(about, Query(_invalid(), _LEGEND), width=8)


def _divergence() -> Panel:
    about = About(
        "Distance between the versions",
        "Total variation between what both versions answer, and of the feature in which they differ most: 0 "
        "the same, 1 nothing in common. Few rows alone give some; a split leaves features alike.",
        "percentunit",
    )
    pair = f"abs({_shares(_CANDIDATE)} - {_shares(_BASELINE)})"
    distance = f"0.5 * sum by (kind, name) ({pair})"
    outputs = distance.replace(MODEL, f'{MODEL},kind="output"')
    features = distance.replace(MODEL, f'{MODEL},kind="feature"')
    return graph(
        about,
        Query(outputs, "{{name}}"),
        Query(f"max({features})", "any feature, at most"),
        width=8,
    )


def _shares(version: str) -> str:
    """Share of each bin among the rows of a version."""
    rows = rate(catalog.DISTRIBUTION_ROWS, "kind", "name", "bin", where=version)
    whole = rate(catalog.DISTRIBUTION_ROWS, "kind", "name", where=version)
    return f"{rows} / on (kind, name) group_left {whole}"


def _tracks(title: str, what: str, record: str, unit: str) -> Panel:
    about = About(title, f"{what} Where the scrape has the label `track`; versions do not matter.", unit)
    return graph(about, Query(recorded(record, "track", how="max"), "{{track}}"), width=8)


def _canary_distance(links: Links) -> Panel:
    about = About(
        "Distance of canary and stable",
        "Total variation of what they predict, over half an hour. Dashed: 0.15, a ticket.",
        "percentunit",
        links.runbook("InferenceCanaryWorse"),
    )
    query = Query(recorded(f"{canary_rules.DIVERGENCE}30m", "name", how="max"), "{{name}}")
    return graph(about, query, width=8, steps=((None, GREEN), (float(canary_rules.DIVERGED), AMBER)))


def _predictions() -> Panel:
    about = About(
        "$column of both versions",
        "Share of predictions in each bin or class, in the chosen time range.",
        "percentunit",
    )
    sides = {
        "baseline": ordered(bin_shares(f'{_BASELINE},kind="output",name="$column"')),
        "candidate": ordered(bin_shares(f'{_CANDIDATE},kind="output",name="$column"')),
    }
    return comparison(about, "bin", sides, width=12)


def _classes() -> Panel:
    about = About(
        "$column over time",
        "Share of each class or bin among the predictions of the candidate.",
        "percentunit",
    )
    where = f'{_CANDIDATE},kind="output",name="$column"'
    rows, whole = (rate(catalog.DISTRIBUTION_ROWS, *by, where=where) for by in (("bin",), ()))
    return graph(about, Query(f"{rows} / scalar({whole}) > 0", "{{bin}}"), width=12, stacked=True)
