"""The problems that stand: since when and in which words; exported, and said once when they begin and end.

A problem begins with the first window that shows it and ends after `CALM_WINDOWS` that do not, so that one
quiet window in an outage does not ring twice. Bounded: features are capped before they come here. The trap:
a feature that is no longer sent never gets a quiet window, so what was not seen for hours is over too.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sidecar import catalog_quality as catalog
from sidecar.registry import Registry

log = logging.getLogger("sidecar")

CALM_WINDOWS = 4
# A model asked once a minute fills a window in an hour; of one asked less nobody knows.
FORGOTTEN_SECONDS = 6 * 3600.0
# As many as features times kinds of one model may have, and then some.
MAX_PROBLEMS = 2_000
_ALL_VERSIONS = ""


@dataclass(slots=True)
class Problem:
    """What is wrong, in words. `since` and `last` are monotonic; `feature` is "" for rows as such."""

    model: str
    feature: str
    problem: str
    text: str
    since: float
    last: float
    calm: int = 0


def _log_begin(found: Problem) -> None:
    log.warning("data quality: %s begins: %s", _fields(found), found.text)


def _log_end(ended: Problem, now: float) -> None:
    log.info("data quality: %s ends: it stood for %.0f s", _fields(ended), now - ended.since)


class Problems:
    """What stands, of all models. `on_begin` and `on_end` hear of it; by default they log."""

    def __init__(
        self,
        registry: Registry,
        on_begin: Callable[[Problem], None] = _log_begin,
        on_end: Callable[[Problem, float], None] = _log_end,
    ) -> None:
        self.on_begin, self.on_end = on_begin, on_end
        self._features = registry.gauge(catalog.FEATURE_PROBLEM)
        self._rows = registry.gauge(catalog.ROW_PROBLEM)
        self._begun = registry.counter(catalog.FEATURE_PROBLEMS_BEGUN)
        self._standing: dict[tuple[str, str, str], Problem] = {}

    def introduce(self, model: str) -> None:
        """Show a model's counters at zero."""
        if (model, _ALL_VERSIONS, catalog.FEATURE_PROBLEMS[0]) not in self._begun.values:
            for problem in catalog.FEATURE_PROBLEMS:
                self._begun.add(0, model, _ALL_VERSIONS, problem)
            for problem in catalog.ROW_PROBLEMS:
                self._rows.set(0, model, _ALL_VERSIONS, problem)

    def forget(self, model: str) -> None:
        """Take away everything of a model that nobody asks any more."""
        for key in [key for key in self._standing if key[0] == model]:
            del self._standing[key]
        for family in (self._features, self._rows, self._begun):
            family.remove(model_name=model)

    def see(self, model: str, feature: str, problem: str, text: str, now: float) -> None:
        """A window shows this problem."""
        key = model, feature, problem
        standing = self._standing.get(key)
        if standing is not None:
            standing.text, standing.last, standing.calm = text, now, 0
        elif len(self._standing) < MAX_PROBLEMS:
            self._standing[key] = found = Problem(model, feature, problem, text, now, now)
            self._set(found, 1)
            if feature:
                self._begun.add(1, model, _ALL_VERSIONS, problem)
            self.on_begin(found)

    def calm(self, model: str, looked_at: frozenset[str], problems: frozenset[str], now: float) -> None:
        """A window of these features (and "" for rows) was looked at for these kinds of problems.

        Those that it showed were `see`n with the same `now`; the others come to their end.
        """
        if not self._standing:
            return
        for key, standing in list(self._standing.items()):
            ours = key[0] == model and key[1] in looked_at and key[2] in problems
            if ours and standing.last != now:
                standing.calm += 1
                if standing.calm >= CALM_WINDOWS:
                    self._end(key, now)

    def tick(self, now: float) -> None:
        """End what no window has shown for hours."""
        for key, standing in list(self._standing.items()):
            if now - standing.last > FORGOTTEN_SECONDS:
                self._end(key, now)

    def state(self) -> list[dict[str, Any]]:
        """What stands, to be saved; times are monotonic."""
        return [asdict(problem) for problem in self._standing.values()]

    def restore(self, document: Sequence[Mapping[str, Any]], moved: Callable[[float], float]) -> None:
        """Let problems go on that stood before a restart; their beginning was counted and said then.

        `moved` gives the monotonic time of now's clock for one of the document's. Raises ValueError, having
        changed nothing.
        """
        try:
            found = [_restored(saved, moved) for saved in document[:MAX_PROBLEMS]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no problems of ours") from error
        for problem in found:
            self.introduce(problem.model)
            self._standing[problem.model, problem.feature, problem.problem] = problem
            self._set(problem, 1)

    def standing(self) -> Iterator[Problem]:
        """What stands now, the oldest first."""
        return iter(list(self._standing.values()))

    def _end(self, key: tuple[str, str, str], now: float) -> None:
        ended = self._standing.pop(key)
        self._set(ended, 0)
        self.on_end(ended, now)

    def _set(self, found: Problem, value: float) -> None:
        if found.feature:
            self._features.set(value, found.model, _ALL_VERSIONS, found.feature, found.problem)
        else:
            self._rows.set(value, found.model, _ALL_VERSIONS, found.problem)


def _fields(found: Problem) -> str:
    feature = f" feature={found.feature}" if found.feature else ""
    return f"model={found.model}{feature} problem={found.problem}"


def _restored(saved: Mapping[str, Any], moved: Callable[[float], float]) -> Problem:
    kinds = catalog.FEATURE_PROBLEMS if saved["feature"] else catalog.ROW_PROBLEMS
    if saved["problem"] not in kinds:
        raise ValueError("a problem that is none")
    return Problem(
        str(saved["model"]),
        str(saved["feature"]),
        str(saved["problem"]),
        str(saved["text"]),
        moved(float(saved["since"])),
        moved(float(saved["last"])),
        int(saved["calm"]),
    )
