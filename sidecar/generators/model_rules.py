"""Alerts about what goes into and comes out of a model: drift, and predictions that are not usable.

Drift is decided by the sidecar (effect size, corroboration, false-alarm budget); the rules add a quorum
across replicas and turn the verdict's level into a severity, nothing else. The trap: one replica sees
few rows and is wrong more often than all of them together.
"""

from sidecar.catalog import DRIFT_ACTIVE, PREDICTIONS, PREDICTIONS_INVALID
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Severity

# Half of the replicas that serve this version; one replica alone is its own quorum.
QUORUM = "0.5"
# One prediction in a hundred is worth a look; one in ten is an outage for whoever uses them.
INVALID_SHARE = {Severity.PAGE: "0.1", Severity.TICKET: "0.01"}
# Below this, a share over ten minutes says more about chance than about the model.
MIN_INVALID = 10

_DRIFT = "InferenceDrift"
_INVALID = "InferencePredictionsInvalid"
# The version stays: at 03:00 it is what decides between rolling back and calling the data team.
_OUTPUT = by("model_name", "model_version", "output")
# A joint verdict is about pairs, and those are no label.
_IF_JOINT, _ELSE, _END = '{{ if eq $labels.kind "joint" }}', "{{ else }}", "{{ end }}"
# Empty for an hour after a change of version, while rows of both are judged together.
_OF_VERSION = "{{ with $labels.model_version }}, of version {{ . }}{{ end }}"


def groups(durations: Durations, links: Links) -> list[Group]:
    """Drift and invalid predictions."""
    drift = [_drift(severity, durations, links) for severity in INVALID_SHARE]
    invalid = [_invalid(severity, durations, links) for severity in INVALID_SHARE]
    return [
        Group("inference-drift", durations.wait("30s"), _WHY_DRIFT, drift),
        Group("inference-predictions", durations.wait("30s"), _WHY_INVALID, invalid),
    ]


def _drift(severity: Severity, durations: Durations, links: Links) -> Alert:
    verdict = f'{DRIFT_ACTIVE.name}{{level="{severity.value}"}}'
    return Alert(
        _DRIFT,
        f"avg {by('model_name', 'model_version', 'kind', 'name')} ({verdict}) >= {QUORUM}",
        severity,
        f"{words.MODEL}: {_IF_JOINT}features no longer go together as they did{_ELSE}"
        f"the {words.KIND} {words.NAME} has drifted from its reference{_END}",
        f"{words.SHARE} of the replicas of {words.MODEL} hold the verdict of level {severity.value} for "
        f"{_IF_JOINT}the correlation of features that each are as they were (see the status page){_ELSE}"
        f"the {words.KIND} {words.NAME}{_END}{_OF_VERSION}."
        f"{about_model.drift_began()}{about_model.drift_within()}{about_model.notes(durations)}",
        links.annotations(_DRIFT, model=True),
        labels=about_model.OWNER,
    )


def _invalid(severity: Severity, durations: Durations, links: Links) -> Alert:
    window = durations.window("10m")
    bad, every = f"{PREDICTIONS_INVALID.name}[{window}]", f"{PREDICTIONS.name}[{window}]"
    return Alert(
        _INVALID,
        f"sum {_OUTPUT} (rate({bad}))\n/\nsum {_OUTPUT} (rate({every}))\n> {INVALID_SHARE[severity]}\n"
        f"and sum {_OUTPUT} (increase({bad})) >= {MIN_INVALID}",
        severity,
        f"{words.MODEL}: predictions are not usable",
        f"In the last {window} {words.SHARE} of the predictions {words.OUTPUT} of "
        f"{words.MODEL} (version {words.VERSION}) were NaN, infinite, null or of the wrong shape."
        f"{about_model.notes(durations)}",
        links.annotations(_INVALID, model=True),
        wait=durations.wait("2m"),
        labels=about_model.OWNER,
    )


_WHY_DRIFT = """
The verdict is the sidecar's; here it only needs half of the replicas that serve a version.
"""
_WHY_INVALID = """
Needs no objective: a prediction that is NaN is wrong whatever was promised.
"""
