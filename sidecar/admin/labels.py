"""POST /api/v1/labels: the one place where somebody from outside changes what the observer holds.

Only who is on this host, or knows the token; only JSON, which no page of another origin can send without
asking first, and nobody answers that question. Bodies, numbers and time are bounded. The trap: labels are
taken on the loop that reads traffic, so they are taken some hundreds at a time, with traffic in between.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from sidecar import clock
from sidecar.admin.guard import from_here, problem
from sidecar.admin.label_list import MAX_BYTES, NotLabels, Problems, read
from sidecar.admin.token import Token
from sidecar.monitors.labels.joining import Taken
from sidecar.monitors.labels.waiting import Given

PATH = "/api/v1/labels"
# At once; a job posts one after the other.
_AT_ONCE = 4
# 4 MiB in five seconds is a modem. It must be less than the supervisor waits for an answer, eight.
_BODY_SECONDS = 5.0
# Two to five milliseconds of the loop.
_TOGETHER = 250
# Who has more wrong than this has one mistake in all of them.
_PROBLEMS_TOLD = 20
_HOW = "post JSON with Content-Type: application/json"


class TakesLabels(Protocol):
    """Where labels go."""

    def take(self, labels: Sequence[Given], now: float) -> Taken:
        """Take some labels that came `now`, wall clock."""


class LabelPosts:
    """The handler. `refused(reason, labels)` counts what was not taken; `token` None: only this host."""

    def __init__(
        self, takes: TakesLabels, refused: Callable[[str, int], None], token: Token | None = None
    ) -> None:
        self._takes, self._refused, self._token = takes, refused, token
        self._busy = 0
        # One at a time: four threads that want the interpreter would leave the loop a fifth of it.
        self._reading = asyncio.Lock()

    async def post(self, request: web.Request) -> web.Response:
        """Take what is posted, and say what became of it."""
        refusal = self._forbidden(request) or self._unwanted(request)
        if refusal is not None:
            return refusal
        if self._busy >= _AT_ONCE:
            self._refused("busy", 1)
            response = problem(503, "labels are being posted by several at once; try again in a second")
            response.headers["Retry-After"] = "1"
            return response
        self._busy += 1
        try:
            return await self._post(request)
        finally:
            self._busy -= 1

    async def _post(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return self._refuse(
                "busy", 408, f"the body did not come within {_BODY_SECONDS:g} s; post less at once"
            )
        if body is None:
            return self._too_large()
        now = clock.wall()
        try:
            async with self._reading:
                given, problems = await asyncio.to_thread(read, body, now)
        except NotLabels as error:
            return self._refuse("malformed", 422, str(error), accepted=0)
        taken = Taken()
        for at in range(0, len(given), _TOGETHER):
            taken.add(self._takes.take(given[at : at + _TOGETHER], now))
            await asyncio.sleep(0)  # traffic first
        return self._answer(taken, problems)

    def _answer(self, taken: Taken, unreadable: Problems) -> web.Response:
        problems = sorted([*unreadable, *taken.problems])
        accepted = taken.waiting + taken.states["matched"] + taken.states["duplicate"]
        states = {state: taken.states[state] for state in ("matched", "duplicate", "unknown")}
        said: dict[str, Any] = {"accepted": accepted, **states, "waiting": taken.waiting}
        if not problems:
            return web.json_response(said)
        self._refused("malformed", len(problems))
        told = [{"index": at, "problem": text} for at, text in problems[:_PROBLEMS_TOLD]]
        rest = "the others were" if accepted else "nothing was"
        error = f"{_labels(len(problems))} could not be taken; {rest}"
        return problem(422, error, **said, problems=told, problems_not_listed=len(problems) - len(told))

    def _forbidden(self, request: web.Request) -> web.Response | None:
        """Who may not."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return self._refuse("forbidden", 403, "pages of other origins may not post")
        if self._token is not None:
            given = request.headers.get("Authorization", "")
            if self._token.admits(given):
                return None
            wrong = "this is not the token" if given else "the token is missing"
            response = self._refuse("forbidden", 401, f"{wrong}; send Authorization: Bearer ...")
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        if from_here(request):
            return None
        return self._refuse(
            "forbidden",
            403,
            "labels are taken from clients on this host only; admin_token_file lets others post",
        )

    def _unwanted(self, request: web.Request) -> web.Response | None:
        """What is not read at all."""
        if request.content_type != "application/json":
            return self._refuse("malformed", 415, f"this is not JSON; {_HOW}")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return self._refuse("malformed", 415, f"compressed bodies are not read; {_HOW}")
        if request.content_length is not None and request.content_length > MAX_BYTES:
            return self._too_large()
        return None

    def _too_large(self) -> web.Response:
        return self._refuse("too_large", 413, f"more than {MAX_BYTES // 2**20} MiB at once; post in parts")

    def _refuse(self, reason: str, status: int, why: str, **more: object) -> web.Response:
        self._refused(reason, 1)
        return problem(HTTPStatus(status), why, **more)


async def _body(request: web.Request) -> bytes | None:
    """The body; None as soon as it is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_chunked(64 * 1024):
        size += len(part)
        if size > MAX_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _labels(count: int) -> str:
    return "1 label" if count == 1 else f"{count:,} labels"
