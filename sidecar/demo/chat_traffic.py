"""Clients of the chat server: short prompts, most of them streamed, each answer read to its end.

Open-loop like `traffic`, and as strict: a stream that ends without its last word is a failure.
"""

import asyncio
import random
from typing import Any

import aiohttp
import orjson

from sidecar.demo.chat_server import MODEL_NAME, PATH
from sidecar.demo.faults import NO_DATA_FAULT, DataFault
from sidecar.demo.traffic import Counts, arrive

# Enough answers in the three seconds that a detection looks back on, some 250 tokens a second.
RATE = 16.0
# One answer in eight is asked for in one piece, as batch jobs do.
_WHOLE_SHARE = 0.12
_CONNECTIONS = 96
_TIMEOUT_SECONDS = 10.0
_PROMPTS = (
    "what is the weather like by the river",
    "tell me about the garden behind the house",
    "say something quiet",
    "how far is it from here to the old bridge and back before the evening",
)


class ChatTraffic:
    """Sends until stopped. Rows are not asked about, so `fault` and `canary_share` change nothing."""

    def __init__(self, url: str, rate: float = RATE) -> None:
        self.fault: DataFault = NO_DATA_FAULT
        self.canary_share = 0.0
        self.counts = Counts()
        self._url = url + PATH
        self._rate = rate
        self._chance = random.Random(5)

    async def run(self, stop: asyncio.Event) -> None:
        """Send at `rate` chats a second until `stop`, then wait for what is still under way."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await arrive(lambda: self._ask(session), self._rate, self._chance, stop)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        self.counts.sent += 1
        problem = await self._problem_with_answer(session, self._next_question())
        if problem:
            self.counts.failures[problem] += 1
        else:
            self.counts.answered += 1

    def _next_question(self) -> dict[str, Any]:
        question: dict[str, Any] = {
            "model": MODEL_NAME,
            "messages": [{"role": "user", "content": self._chance.choice(_PROMPTS)}],
            "max_tokens": 24,
        }
        if self._chance.random() >= _WHOLE_SHARE:
            question |= {"stream": True, "stream_options": {"include_usage": True}}
        return question

    async def _problem_with_answer(self, session: aiohttp.ClientSession, question: dict[str, Any]) -> str:
        """Why the answer is not what was asked for; "" when it is."""
        headers = {"content-type": "application/json"}
        try:
            async with session.post(self._url, data=orjson.dumps(question), headers=headers) as response:
                answer, status = await response.read(), response.status
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError:
            return "connection"
        if status != 200:
            return f"http_{status}"
        if question.get("stream"):
            return "" if answer.endswith(b"data: [DONE]\n\n") else "truncated"
        return "" if b'"choices"' in answer else "answer"
