"""The alert about drift within one value of a segment, a tenant or a region, that the whole does not show.

What the whole shows as well is folded into its verdict by the sidecar, and its alert names the values. The
trap: a tenant may send nothing to some replicas; the quorum is among those that judge it.
"""

from sidecar.catalog_quality import SEGMENT_DRIFT_ACTIVE, SEGMENT_DRIFT_JUDGED
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by, on
from sidecar.generators.links import Links
from sidecar.generators.model_rules import QUORUM
from sidecar.generators.rule import Alert, Group, Severity

_NAME = "InferenceSegmentDrift"
_VALUE = ("model_name", "model_version", "segment", "value")
_WHERE = f"{words.label('segment')} is {words.label('value')}"


def groups(durations: Durations, links: Links) -> list[Group]:
    """One alert a value, however many columns of it have drifted."""
    return [Group("inference-segments", durations.wait("30s"), _WHY, [_drift(durations, links)])]


def _drift(durations: Durations, links: Links) -> Alert:
    hold = f'sum {by(*_VALUE, "kind", "name")} ({SEGMENT_DRIFT_ACTIVE.name}{{state="alone"}})'
    judge = f"{on(*_VALUE)} group_left ()\n  sum {by(*_VALUE)} ({SEGMENT_DRIFT_JUDGED.name})"
    return Alert(
        _NAME,
        f"max {by(*_VALUE)} (\n  {hold}\n  / {judge}\n) >= {QUORUM}",
        Severity.TICKET,
        f"{words.MODEL}: what it is asked has drifted where {_WHERE}",
        f"{words.SHARE} of the replicas that judge the rows of {words.MODEL} where {_WHERE} say that they "
        f"have drifted from what is usual for them. The model as a whole does not show it."
        f"{about_model.drifted_columns()}{about_model.notes(durations)}",
        links.annotations(_NAME, model=True),
        labels=about_model.OWNER,
    )


_WHY = """
One value of a segment: a ticket of its own only while the model as a whole does not say the same.
"""
