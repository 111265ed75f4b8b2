"""What is wrong now, in one table: which of the usual causes shows itself, of what, and how much of it.

Needs no rules and no objective, only what sidecars export. A finding states a fact about the chosen models;
what it means is said by the alerts beside it.
"""

from sidecar import catalog, catalog_labels
from sidecar.generators.boards.panels import About, Panel, Query
from sidecar.generators.boards.queries import INSTALLATION, MODEL, UNAVAILABLE, rate, share
from sidecar.generators.boards.tables import listing

# Of requests, values or rows. Less than one in a hundred is seldom why somebody was called.
_WORTH_SHOWING = 0.01
_UNREACHED = 'outcome="upstream_unreachable"'
_FAILED = 'outcome=~"server_error|upstream_reset|truncated"'


def findings(width: int = 12, height: int = 8) -> Panel:
    """The table."""
    about = About(
        "What is wrong now",
        "Causes that show themselves, the largest share first: of requests, of a feature's values, of "
        "predictions, of replicas that hold a verdict, of relayed bytes.",
        "percentunit",
    )
    found = "\nor ".join(
        [_no_server(), _failing(), _slow(), _unusable(), _invalid(), _drift(), _fallen(), _unseen()]
    )
    order = ("finding", "of", "share", "model_name")
    return listing(
        about, Query(f"sort_desc(\n{found}\n)"), width=width, height=height, order=order, value="share",
        otherwise="nothing that shows here",
    )  # fmt: skip


def _no_server() -> str:
    return _finding(share(catalog.REQUESTS, _UNREACHED, "model_name"), "no model server is reached")


def _failing() -> str:
    failed = rate(catalog.REQUESTS, "model_name", "code", where=_FAILED)
    shares = f"{failed} / on (model_name) group_left {rate(catalog.REQUESTS, 'model_name')}"
    return _finding(shares, "the server fails, code", "code")


def _unusable() -> str:
    shares = f"topk(5, {share(catalog.FEATURE_VALUES, UNAVAILABLE, 'model_name', 'feature')})"
    return _finding(shares, "feature missing, null or of a wrong type", "feature")


def _invalid() -> str:
    of = ("model_name", "output")
    shares = f"{rate(catalog.PREDICTIONS_INVALID, *of)} / {rate(catalog.PREDICTIONS, *of)}"
    return _finding(shares, "predictions cannot be used", "output")


def _drift() -> str:
    # A verdict has one level at a time; the replicas count that hold any.
    verdicts = f"max without (level) ({catalog.DRIFT_ACTIVE.name}{{{MODEL}}})"
    return _finding(f"topk(5, avg by (model_name, name) ({verdicts}))", "has drifted", "name")


def _fallen() -> str:
    fallen, labels = (
        f"{m.name}{{{MODEL}}}" for m in (catalog_labels.QUALITY_DEGRADED, catalog_labels.QUALITY_LABELS)
    )
    shares = f"sum by (model_name) ({fallen} * {labels}) / sum by (model_name) ({labels})"
    return _finding(shares, "predictions turn out wrong more often than before")


def _unseen() -> str:
    lost = 'reason=~"observer_behind|observer_down"'
    dropped = rate(catalog.TEE_DROPPED_BYTES, where=lost, selector=INSTALLATION)
    shares = f"{dropped} / {rate(catalog.RELAY_BYTES, selector=INSTALLATION)}"
    return _finding(shares, "traffic is not measured")


def _slow() -> str:
    """Answers slower than the objective: the share of judged ones."""
    slow, every = (
        rate(catalog.SLO_EVENTS, "model_name", where=f'slo="latency"{bad}') for bad in (',result="bad"', "")
    )
    return _finding(f"{slow} / {every}", "answers are slower than the objective")


def _finding(shares: str, what: str, of: str = "") -> str:
    """`shares` of one label `of` at most besides the model, with the labels `finding` and `of`."""
    named = f'label_replace({shares} > {_WORTH_SHOWING}, "finding", "{what}", "", "")'
    if not of:
        return named
    kept = f'label_replace({named}, "of", "$1", "{of}", "(.*)")'
    return f"sum without ({of}) ({kept})"
