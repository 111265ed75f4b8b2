"""A server that speaks OpenAI's chat API and streams words: fake tokens, real time.

    python -m sidecar.demo.chat_server --port 8000

Nothing is learnt here: words come from a list by chance. But every token is written when it is due and
counted as one, so that what is measured of it is true.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sidecar.demo import serving
from sidecar.demo.faults import NO_SERVER_FAULT, ServerFault

MODEL_NAME = "small-talk"
PATH = "/v1/chat/completions"
# A small model on a good machine: it begins within a tenth of a second and gives a hundred words a second.
_FIRST_TOKEN_SECONDS = (0.04, 0.09)
_TOKEN_SECONDS = (0.006, 0.014)
_TOKENS = (6, 26)
# Longer than the second from which a pause counts as a stall.
_STALL_SECONDS = 1.2
_WORDS = ("rain", "wind", "cloud", "river", "stone", "light", "garden", "window", "morning", "quiet")


@dataclass(slots=True)
class ChatServer:
    """The endpoint and its faults. `answered` and `failed` count chats; failed ones by design."""

    fault: ServerFault = NO_SERVER_FAULT
    answered: int = 0
    failed: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/health", self.ready)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post(PATH, self.chat)
        return app

    async def ready(self, request: web.Request) -> web.Response:
        """Ready as soon as it listens."""
        return web.Response()

    async def models(self, request: web.Request) -> web.Response:
        """The one model."""
        return web.json_response({"object": "list", "data": [{"id": MODEL_NAME, "object": "model"}]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer, after whatever fault is in force."""
        try:
            asked = await request.json()
            prompt, most = _prompt_tokens(asked), int(asked.get("max_tokens") or _TOKENS[1])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return web.json_response({"error": {"message": "expected messages", "code": 400}}, status=400)
        if self._happens(self.fault.error_ratio):
            self.failed += 1
            return web.json_response({"error": {"message": "no room for it", "code": 503}}, status=503)
        words = self._words(most)
        answer = Answer(f"chat-{self.answered + self.failed}", prompt, words, len(words) >= most)
        if asked.get("stream"):
            return await self._stream(request, answer)
        async for _ in self._spoken(answer):
            pass
        self.answered += 1
        return web.json_response(answer.whole())

    async def _stream(self, request: web.Request, answer: "Answer") -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        cut_after = (
            len(answer.words) // 2 if answer.words and self._happens(self.fault.truncated_ratio) else None
        )
        # Counted before it is written: the client has it before this goes on.
        self.answered += cut_after is None
        self.failed += cut_after is not None
        sent = 0
        async for word in self._spoken(answer):
            if not response.prepared:
                await response.prepare(request)
            if sent == cut_after:
                return response  # no usage, no [DONE]: an engine that died behind its front end
            await response.write(_event(answer.part(word)))
            sent += 1
        if not response.prepared:
            await response.prepare(request)
        for last in answer.ending():
            await response.write(_event(last))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _spoken(self, answer: "Answer") -> AsyncIterator[str]:
        """Each word when it is due."""
        await asyncio.sleep(self.chance.uniform(*_FIRST_TOKEN_SECONDS) + self.fault.latency_seconds)
        stall = len(answer.words) // 2 if self._happens(self.fault.stalled_ratio) else None
        for index, word in enumerate(answer.words):
            yield word
            await asyncio.sleep(_STALL_SECONDS if index == stall else self.chance.uniform(*_TOKEN_SECONDS))

    def _words(self, most: int) -> list[str]:
        if self._happens(self.fault.empty_ratio):
            return []
        return self.chance.choices(_WORDS, k=min(self.chance.randint(*_TOKENS), most))

    def _happens(self, ratio: float) -> bool:
        return self.chance.random() < ratio


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and how it is put into messages."""

    id: str
    prompt_tokens: int
    words: list[str]
    full: bool

    def part(self, word: str) -> dict[str, Any]:
        """One token of a stream."""
        return self._chunk([{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}])

    def ending(self) -> list[dict[str, Any]]:
        """How a stream ends: why, and what it took."""
        reason = [{"index": 0, "delta": {}, "finish_reason": self._reason}]
        return [self._chunk(reason), self._chunk([]) | {"usage": self._usage}]

    def whole(self) -> dict[str, Any]:
        """The answer in one message."""
        message = {"role": "assistant", "content": " ".join(self.words)}
        choices = [{"index": 0, "message": message, "finish_reason": self._reason}]
        head = self._chunk(choices) | {"object": "chat.completion"}
        return head | {"usage": self._usage}

    @property
    def _reason(self) -> str:
        return "length" if self.full and self.words else "stop"

    @property
    def _usage(self) -> dict[str, int]:
        said = len(self.words)
        total = self.prompt_tokens + said
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": said, "total_tokens": total}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": "chat.completion.chunk", "model": MODEL_NAME, "choices": choices}


def _prompt_tokens(asked: dict[str, Any]) -> int:
    return sum(len(str(message["content"]).split()) for message in asked["messages"])


def _event(message: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def main() -> None:
    """Serve."""
    arguments = serving.arguments("sidecar.demo.chat_server", __doc__).parse_args()
    asyncio.run(serving.serve(ChatServer(), arguments.host, arguments.port, arguments.controlled))


if __name__ == "__main__":
    main()
