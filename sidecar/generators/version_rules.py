"""Alerts about which version of a model answers.

A new version is information: it explains what happens next, and holds back tickets about its drift until it
has been looked at. A version that nobody approved is a ticket. The trap: every new pod sees its version for
the first time, so "first seen" is the earliest that any replica said within a day.
"""

from sidecar import catalog
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by, on
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity

# Long enough for a rollout to end and for its first batches to be judged.
FRESH = "30m"
_VERSION = by("model_name", "model_version")


def groups(durations: Durations, links: Links) -> list[Group]:
    """First seen, unexpected, changed."""
    rules: list[Record | Alert] = [
        _first_seen(durations),
        _unexpected(durations, links),
        _changed(durations, links),
    ]
    return [Group("inference-versions", durations.wait("30s"), _WHY, rules)]


def _first_seen(durations: Durations) -> Record:
    seen = f"min_over_time({catalog.VERSION_FIRST_SEEN.name}[{durations.window('1d')}])"
    return Record("model:inference_version_first_seen_timestamp_seconds:min", f"min {_VERSION} ({seen})")


def _unexpected(durations: Durations, links: Links) -> Alert:
    name = "InferenceModelVersionUnexpected"
    answers = f'{catalog.REQUESTS.name}{{outcome="ok"}}[{durations.window("30m")}]'
    return Alert(
        name,
        f"min {_VERSION} ({catalog.VERSION_APPROVED.name}) == 0\n"
        f"and sum {_VERSION} (increase({answers})) > 0",
        Severity.TICKET,
        f"{words.MODEL}: version {words.VERSION} answers and is not approved",
        f"Version {words.VERSION} of {words.MODEL} is not in approved_versions of its configuration and has "
        f"answered in the last {durations.window('30m')}.{about_model.notes(durations)}",
        links.annotations(name, model=True),
        # A list of approved versions is rolled out, too: replicas may disagree for a while.
        wait=durations.wait("5m"),
        labels=about_model.OWNER,
    )


def _changed(durations: Durations, links: Links) -> Alert:
    name = "InferenceModelVersionChanged"
    first_seen = "model:inference_version_first_seen_timestamp_seconds:min"
    fresh, changes = durations.seconds(FRESH), catalog.VERSION_CHANGES.name
    return Alert(
        name,
        f"(\n  time() - {first_seen} < {fresh}\n  and {on('model_name')} "
        f"count {by('model_name')} ({first_seen}) > 1\n)\n"
        f"or sum {_VERSION} (increase({changes}[{durations.window(FRESH)}])) > 0.5",
        Severity.INFO,
        f"{words.MODEL}: version {words.VERSION} has begun to answer",
        f"Version {words.VERSION} of {words.MODEL} first answered, or answered again, within the last "
        f"{durations.window(FRESH)}. Tickets about its drift wait meanwhile.",
        links.annotations(name, model=True),
        labels=about_model.OWNER,
    )


_WHY = """
Which versions answer. A fresh one holds back tickets about its own drift (alertmanager.yaml).
"""
