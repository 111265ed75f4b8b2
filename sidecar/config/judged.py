"""What is wrong with how models are judged, once all that is said of them is laid together. No I/O.

A key under a model may be right beside what is said at the top, and the other way round; so this looks at
policies, and names the key that was said.
"""

from collections.abc import Iterator, Mapping

from sidecar.config.policy import JudgedSection
from sidecar.config.section import Conflict
from sidecar.policy import ModelPolicy, Policies

_Said = tuple[tuple[str, ...], JudgedSection, list[ModelPolicy]]


def conflicts(
    top: JudgedSection, models: Mapping[str, JudgedSection], policies: Policies
) -> Iterator[Conflict]:
    """Objectives that judge nothing, and thresholds that no score reaches."""
    for path, section, of in _said(top, models, policies):
        if section.slos.freshness is not None and not any(map(_has_ages, of)):
            yield (
                (*path, "slos", "freshness"),
                "no feature has a max_age, so there is nothing to judge; give one, such as "
                "features: {as_of: {max_age: 5m}}",
            )
        threshold = section.quality.threshold
        # Whoever says that numbers are classes may have scores that are no shares: margins, log-odds.
        if threshold is not None and not 0 < threshold <= 1 and of[0].judgement.task != "classification":
            yield (
                (*path, "quality", "threshold"),
                f"{threshold:g} is not allowed; give a share above 0, at most 1, such as 0.5 (or, if scores "
                "are no shares, task: classification beside it)",
            )


def _said(top: JudgedSection, models: Mapping[str, JudgedSection], policies: Policies) -> Iterator[_Said]:
    """Each section, where it stands, and the policies it is part of: first of all its own."""
    yield (), top, [policies.default, *policies.models.values()]
    for name, section in models.items():
        yield ("models", name), section, [policies.of(name)]


def _has_ages(policy: ModelPolicy) -> bool:
    return any(expected.max_age is not None for expected in policy.expectations.values())
