"""Which questions have an answer in which demo, and which never have one, with the reason why."""

from collections.abc import Iterable, Mapping

from tests.dashboards.asking import Answers
from tests.dashboards.boards import Question

NO_TRACKS = "the demos have no pods, and so no label that says which of them is a canary"
# Question → why no demo has anything to show for it. At most one in twenty may be here.
NOTHING_TO_SHOW: Mapping[str, str] = {
    "inference-model / Freshness burn / A": "no feature of the demos is a timestamp",
    "inference-model / Live errors of numbers / A": "the models of the demos predict classes",
    "inference-on-call / Freshness burn / A": "no feature of the demos is a timestamp",
    "inference-versions / Errors of canary and stable / A": NO_TRACKS,
    "inference-versions / Mean latency of canary and stable / A": NO_TRACKS,
    "inference-versions / Distance of canary and stable / A": NO_TRACKS,
}
SHARE_WITHOUT = 0.05


def unanswered(played: Iterable[Answers]) -> set[Question]:
    """Those without a single number in any demo."""
    played = list(played)
    every = {question for answers in played for question in (*answers.results, *answers.problems)}
    return {q for q in every if not any(answers.results.get(q) for answers in played)}


def errors(played: Iterable[Answers]) -> dict[str, str]:
    """What Prometheus refused, and why."""
    return {q.name: problem for answers in played for q, problem in answers.problems.items()}


def unexplained(questions: Iterable[Question]) -> list[str]:
    """The names of those that no reason is known for."""
    return sorted(q.name for q in questions if q.name not in NOTHING_TO_SHOW)
