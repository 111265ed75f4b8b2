"""The observer's HTTP server: metrics, status, references, and where labels are posted (`labels`).

The admin port itself belongs to the supervisor, which answers the probes and relays the rest to here; the
probes are answered here too because a kept connection may bring one. The trap: everything runs on the loop
that reads traffic, so a handler may take a snapshot there and must do the rest in a thread.
"""

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from sidecar import sockets
from sidecar.address import Address
from sidecar.admin.guard import from_here, guard, harden, problem
from sidecar.admin.labels import PATH as LABELS
from sidecar.admin.labels import LabelPosts
from sidecar.admin.merging import Merging
from sidecar.admin.page import page
from sidecar.admin.scrape import BeforeShown, Scrapes, accepts_gzip
from sidecar.admin.status import Details, status
from sidecar.admin.window import SAMPLE_SECONDS, Window
from sidecar.registry import Snapshot

# Scrapers and people are few; more answers than this at once would only hold memory.
MAX_CONCURRENT = 32
# A reader that takes longer for one answer than any scrape timeout is gone, or means harm.
SEND_SECONDS = 30.0
# Longer than the usual scrape interval, so that a scraper keeps its connection.
_KEEPALIVE_SECONDS = 75.0

PROBES = ("/-/healthy", "/-/ready")
ENDPOINTS = ("/", "/metrics", "/api/v1/status", "/api/v1/reference?model=", "/api/v1/recent", LABELS, *PROBES)


class Recent(Protocol):
    """The last exchanges: heads, names and counts, no values."""

    def all(self) -> list[dict[str, Any]]:
        """Each of them, the newest last."""

    def one(self, number: int) -> dict[str, Any] | None:
        """The one of this id, if it is remembered."""


class StatusSource(Protocol):
    """What the server shows. Both are called on the loop and must be quick."""

    def snapshot(self) -> Snapshot:
        """Every series, now."""

    def details(self) -> Details:
        """What is not in a snapshot."""

    def recent(self) -> Recent:
        """How the last exchanges were read."""


# aiohttp's own logger repeats the bytes of a bad request, with a traceback, as often as one is sent.
_SILENT = logging.Logger("aiohttp", logging.CRITICAL + 1)


def create_app(
    source: StatusSource,
    hosts: Collection[str] = (),
    before_shown: BeforeShown | None = None,
    merging: Merging | None = None,
    labels: LabelPosts | None = None,
) -> web.Application:
    """The application. `hosts` are names it may be reached by besides addresses and private names.

    `before_shown` is awaited with every snapshot that a scraper is about to see. Without `labels` none can be
    posted.
    """
    handlers = _Handlers(source, before_shown, merging)
    app = web.Application(middlewares=[guard(frozenset(hosts), PROBES, ENDPOINTS), handlers.bounded])
    app.on_response_prepare.append(harden)
    app.router.add_get("/", handlers.page)
    app.router.add_get("/metrics", handlers.metrics)
    app.router.add_get("/api/v1/status", handlers.status)
    app.router.add_get("/api/v1/reference", handlers.reference)
    app.router.add_get("/api/v1/recent", handlers.recent)
    app.router.add_get(r"/api/v1/recent/{id:\d{1,18}}", handlers.recent)
    if labels is not None:
        app.router.add_post(LABELS, labels.post)
    for probe in PROBES:
        app.router.add_get(probe, handlers.probe)
    app.cleanup_ctx.append(handlers.sampling)
    return app


async def serve(app: web.Application, *addresses: Address) -> web.AppRunner:
    """Serve on addresses until the runner is cleaned up. Raises SidecarError when one cannot be had."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_SILENT,
        handler_cancellation=True,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        shutdown_timeout=1.0,
        # Nothing that is posted here may be compressed: 64 KiB would become 64 MiB before anybody is asked.
        auto_decompress=False,
    )
    await runner.setup()
    try:
        for address in addresses:
            await web.SockSite(runner, sockets.listen(address)).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


class _Handlers:
    def __init__(
        self, source: StatusSource, before_shown: BeforeShown | None, merging: Merging | None
    ) -> None:
        self._source = source
        self._scrapes = Scrapes(source.snapshot, before_shown, merging)
        self._window = Window()
        self._busy = 0

    async def sampling(self, _: web.Application) -> AsyncIterator[None]:
        """While the server runs, remember where the last minutes began."""
        self._window.add(self._source.snapshot())
        task = asyncio.create_task(self._sample())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            self._window.add(self._source.snapshot())

    @web.middleware
    async def bounded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what is more than we care to hold in memory, and give up on who does not read."""
        if request.path in PROBES:
            return await handler(request)
        if self._busy >= MAX_CONCURRENT:
            return problem(503, "too many requests at once; try again in a second")
        self._busy += 1
        try:
            async with asyncio.timeout(SEND_SECONDS):
                response = await handler(request)
                # Sent here and not after the handler, so that an answer being read slowly counts.
                await response.prepare(request)
                await response.write_eof()
                return response
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self._busy -= 1

    async def metrics(self, request: web.Request) -> web.Response:
        compressed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        accept = request.headers.get("Accept", "")
        body, content_type = await self._scrapes.scrape(accept, compressed=compressed)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        html = await asyncio.to_thread(page, await self._status())
        return web.Response(body=html.encode("utf-8", "replace"), content_type="text/html", charset="utf-8")

    async def status(self, request: web.Request) -> web.Response:
        return _json(await self._status())

    async def _status(self) -> dict[str, Any]:
        snapshot, details = self._source.snapshot(), self._source.details()
        return await asyncio.to_thread(status, snapshot, self._window.start(snapshot.taken), details)

    async def reference(self, request: web.Request) -> web.Response:
        references = self._source.details().get("references", {})
        model = request.query.get("model", "")
        if not model and len(references) == 1:
            model = next(iter(references))
        found = references.get(model)
        if found is None:
            return problem(404, "no reference of this model; choose with ?model=", models=sorted(references))
        return _json(dict(found))

    async def recent(self, request: web.Request) -> web.Response:
        """What was asked of which model is nobody's business but that of who is on this host."""
        if not from_here(request):
            return problem(403, "only for clients on this host; kubectl port-forward and exec are")
        chosen, recent = request.match_info.get("id"), self._source.recent()
        if chosen is None:
            return _json({"exchanges": recent.all()})
        found = recent.one(int(chosen))
        if found is None:
            return problem(404, "this exchange is not remembered; only the last ones are")
        return _json(found)

    async def probe(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")


def _json(value: dict[str, Any]) -> web.Response:
    # ensure_ascii: a lone surrogate in a label must not cost the answer; NaN and infinity become null.
    body = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, default=str)
    return web.Response(text=body, content_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
