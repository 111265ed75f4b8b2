"""Clients of the model: real rows, sent as an upstream service would, through the sidecar's port.

Arrivals are open-loop (Poisson): a slow model does not slow them down, so that latency is felt as it is
in production. Faults of the feature pipeline happen here, before a row is sent, and every failure is
counted by its kind: the demo has to explain each one.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from sidecar.demo.dataset import CANDIDATE_VERSION, MODEL_NAME, MODEL_VERSION, Row
from sidecar.demo.faults import NO_DATA_FAULT, DataFault
from sidecar.demo.open_inference import request_of
from sidecar.demo.truth import Truth

# Busy enough for three batches of rows a second, which is what drift is judged by; light enough for two
# shared cores that also run the model, the sidecar, Prometheus and this.
DEFAULT_RATE = 80.0
# One to four rows a request, fewer more often: a feature service asks for a handful of candidates.
_ROWS_A_REQUEST = (1, 1, 1, 2, 2, 3, 4)
# Enough for DEFAULT_RATE when every answer takes a quarter of a second, with room.
_CONNECTIONS = 48
_TIMEOUT_SECONDS = 5.0

PATH = f"/v2/models/{MODEL_NAME}/versions/{MODEL_VERSION}/infer"
CANARY_PATH = f"/v2/models/{MODEL_NAME}/versions/{CANDIDATE_VERSION}/infer"


@dataclass(slots=True)
class Counts:
    """Requests sent, answered in full, and failed by kind: `http_503`, `timeout`, `connection`, `answer`."""

    sent: int = 0
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """All failures."""
        return self.failures.total()


class Traffic:
    """Sends until stopped. `fault` and `canary_share` may be changed at any time, for the next request."""

    def __init__(
        self,
        url: str,
        rows: Sequence[Row],
        rate: float = DEFAULT_RATE,
        labels: Sequence[str] = (),
        truth: Truth | None = None,
    ) -> None:
        self.fault: DataFault = NO_DATA_FAULT
        # The share of requests that ask the candidate's version.
        self.canary_share = 0.0
        self.counts = Counts()
        self._url = url
        # What each row really is, where somebody is told.
        self._rows = list(zip(rows, labels, strict=True)) if labels else [(row, "") for row in rows]
        self._truth = truth
        self._rate = rate
        # A fixed seed: the story is the same each time, down to the order of rows.
        self._chance = random.Random(11)

    async def run(self, stop: asyncio.Event) -> None:
        """Send at `rate` requests a second until `stop`, then wait for what is still under way."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            telling = asyncio.create_task(self._truth.run(session, stop)) if self._truth else None
            await arrive(lambda: self._ask(session, *self._next_rows()), self._rate, self._chance, stop)
            if telling is not None:
                await telling

    def _next_rows(self) -> tuple[list[Row], list[str]]:
        chosen = self._chance.choices(self._rows, k=self._chance.choice(_ROWS_A_REQUEST))
        return [self.fault.apply(row, self._chance) for row, _ in chosen], [label for _, label in chosen]

    async def _ask(self, session: aiohttp.ClientSession, rows: list[Row], labels: list[str]) -> None:
        self.counts.sent += 1
        identity = f"segments-{self.counts.sent}"
        problem = await self._problem_with_answer(session, rows, identity)
        if problem:
            self.counts.failures[problem] += 1
            return
        self.counts.answered += 1
        if self._truth is not None:
            self._truth.add(identity, labels, asyncio.get_running_loop().time())

    async def _problem_with_answer(
        self, session: aiohttp.ClientSession, rows: list[Row], identity: str
    ) -> str:
        """Why the answer is not what was asked for; "" when it is."""
        body = orjson.dumps({"id": identity, **request_of(rows)})
        # Not drawn from when there is no candidate: the default story stays what it was, row by row.
        canary = self.canary_share and self._chance.random() < self.canary_share
        url = self._url + (CANARY_PATH if canary else PATH)
        try:
            async with session.post(url, data=body, headers={"content-type": "application/json"}) as response:
                answer = await response.read()
                status = response.status
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError:
            return "connection"
        if status != 200:
            return f"http_{status}"
        return "" if _predictions(answer) == len(rows) else "answer"


def _predictions(answer: bytes) -> int:
    """How many rows an answer has predictions for; -1 when it cannot be read."""
    try:
        return len(orjson.loads(answer)["outputs"][0]["data"])
    except (ValueError, TypeError, KeyError, IndexError):
        return -1


async def arrive(
    ask: Callable[[], Coroutine[Any, Any, None]], rate: float, chance: random.Random, stop: asyncio.Event
) -> None:
    """Call `ask` `rate` times a second (Poisson) until `stop`, then wait for all that are under way."""
    async with asyncio.TaskGroup() as group:
        due = asyncio.get_running_loop().time()
        while not stop.is_set():
            group.create_task(ask())
            due += chance.expovariate(rate)
            await _sleep_until(due)


async def _sleep_until(due: float) -> None:
    """Return at `due` on the loop's clock; always lets others run."""
    await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0.0))
