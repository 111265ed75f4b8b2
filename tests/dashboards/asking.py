"""Asks a Prometheus everything that the dashboards would ask it over a stretch of time.

An instant query is asked about several moments, because what a table shows of an incident is over when
the demo is. All its answers count as data; a picture is of one moment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.dashboards import boards
from tests.dashboards.boards import Question

Result = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when, and the moments to ask instant queries about; all in seconds since the epoch."""

    start: float
    end: float
    moments: Sequence[float]

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.start


@dataclass(slots=True)
class Answers:
    """What came back: question → series, and which values each dashboard's variables had.

    Of instant queries all moments are in one: `at` tells them apart.
    """

    stretch: Stretch
    results: dict[Question, Result] = field(default_factory=dict)
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: dict[Question, str] = field(default_factory=dict)

    def at(self, question: Question, moment: float) -> Result:
        """What a panel shows at a moment: of graphs everything."""
        result = self.results.get(question, [])
        return [one for one in result if one["points"][0][0] == moment] if question.instant else result


async def ask(url: str, stretch: Stretch, wishes: Mapping[str, str]) -> Answers:
    """Everything. `wishes` are values to choose for variables where they are offered."""
    answers = Answers(stretch)
    async with aiohttp.ClientSession(base_url=url) as session:
        for uid, board in boards.load().items():
            values = answers.chosen[uid] = await _choose(session, board, stretch, wishes)
            for question in boards.questions(board):
                expr = boards.filled(question.expr, values, stretch.seconds)
                try:
                    answers.results[question] = await _answer(session, expr, question.instant, stretch)
                except ValueError as error:
                    answers.problems[question] = str(error)
    return answers


async def _choose(
    session: aiohttp.ClientSession, board: dict[str, Any], stretch: Stretch, wishes: Mapping[str, str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable in boards.variables(board):
        name = variable["name"]
        if variable["includeAll"]:
            values[name] = variable["allValue"]
            continue
        offered = await _offered(session, boards.filled(variable["query"], values, stretch.seconds), stretch)
        if not offered:
            values[name] = ""
        elif wishes.get(name) in offered:
            values[name] = wishes[name]
        else:
            # 3 and 4: by number, upwards and downwards.
            values[name] = sorted(offered)[-1 if variable["sort"] == 4 else 0]
    return values


async def _offered(session: aiohttp.ClientSession, query: str, stretch: Stretch) -> list[str]:
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
    asked = {"match[]": selector, "start": str(stretch.start), "end": str(stretch.end)}
    return await _get(session, f"/api/v1/label/{label}/values", asked)


async def _answer(session: aiohttp.ClientSession, expr: str, instant: bool, stretch: Stretch) -> Result:
    if not instant:
        asked = {"query": expr, "start": str(stretch.start), "end": str(stretch.end), "step": "1"}
        return _numbers((await _get(session, "/api/v1/query_range", asked))["result"])
    every: Result = []
    for moment in stretch.moments:
        data = await _get(session, "/api/v1/query", {"query": expr, "time": str(moment)})
        every += [one | {"values": [(moment, one["value"][1])]} for one in data["result"]]
    return _numbers(every)


async def _get(session: aiohttp.ClientSession, path: str, asked: dict[str, str]) -> Any:
    async with session.get(path, params=asked) as response:
        answer = await response.json()
    if answer["status"] != "success":
        raise ValueError(answer.get("error", "no answer"))
    return answer["data"]


def _numbers(result: Result) -> Result:
    """Without what is not a number: nothing divided by nothing is nothing to look at."""
    for series in result:
        points = ((at, float(value)) for at, value in series.pop("values"))
        series["points"] = [(at, value) for at, value in points if value == value]
    return [series for series in result if series["points"]]
