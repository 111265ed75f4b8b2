"""What it means that the sidecar saw something, for the stories about versions and about generated answers.

Like those in `scenario`: from scraped samples alone, a sentence about what they show, or nothing.
"""

from sidecar.demo.samples import Recent, Window
from sidecar.demo.scenario import WINDOW_SECONDS, Detection

# One in twenty is far more than chance and far less than what is injected.
_MANY = 0.05
# Fewer answers than this say nothing about a share.
_ENOUGH = 20
# Two samples of a hundred rows over seven classes differ by about 0.1 by chance alone.
_FAR = 0.25


def failing(version: str = "") -> Detection:
    """Requests end as errors of the server, those of `version` when it is given."""
    where = {"model_version": version} if version else {}

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        if window.increase("inference_requests_total", **where) < _ENOUGH:
            return ""
        ratio = window.ratio("inference_requests_total", {"outcome": "server_error"} | where, where)
        return f"{_of(version)}{ratio:.0%} of requests fail" if ratio > _MANY else ""

    return seen


def ending(reason: str) -> Detection:
    """Generated answers end for this reason."""

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        if window.increase("inference_generation_ends_total") < _ENOUGH:
            return ""
        ratio = window.ratio("inference_generation_ends_total", {"reason": reason})
        return f"{ratio:.0%} of answers end as {reason}" if ratio > _MANY else ""

    return seen


def unusable(version: str) -> Detection:
    """Predictions of a version that are null, NaN, infinite or of the wrong shape."""

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        every = window.increase("inference_predictions_total", model_version=version, output="score")
        bad = window.increase("inference_predictions_invalid_total", model_version=version, output="score")
        ratio = bad / every if every >= _ENOUGH else 0.0
        return f"{_of(version)}{ratio:.0%} of scores cannot be used" if ratio > _MANY else ""

    return seen


def diverging(version: str, other: str, output: str) -> Detection:
    """The classes that two versions predict are not the same any more (total variation)."""

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        one, two = _classes(window, version, output), _classes(window, other, output)
        if not one or not two:
            return ""
        distance = sum(abs(one.get(c, 0.0) - two.get(c, 0.0)) for c in one | two) / 2
        return f"{_of(version)}{output} is {distance:.2f} from version {other}" if distance > _FAR else ""

    return seen


def _classes(window: Window, version: str, output: str) -> dict[str, float]:
    """The share of each class; empty when there are too few predictions."""
    name, where = "inference_predictions_total", {"model_version": version, "output": output}
    counts = {
        c: window.increase(name, **where, **{"class": c}) for c in window.now.by("class", name, **where)
    }
    total = sum(counts.values())
    return {c: count / total for c, count in counts.items()} if total >= _ENOUGH else {}


def _of(version: str) -> str:
    return f"version {version}: " if version else ""
