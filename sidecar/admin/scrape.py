"""A scrape: snapshot on the observer's loop, everything else off it, and once for all who ask meanwhile."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

from sidecar.admin.merging import Merging
from sidecar.exporters.prometheus import prefers_openmetrics, render
from sidecar.registry import Snapshot

# 600 kB of text become 25 kB in 1 ms; higher levels save little and take four times as long.
_GZIP_LEVEL = 1
BeforeShown = Callable[[Snapshot], Awaitable[None]]


class Scrapes:
    """Renders snapshots. Two scrapers at the same moment, or a hundred, cost one rendering a format."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        before_shown: BeforeShown | None = None,
        merging: Merging | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._merging = merging
        self._before_shown = before_shown
        self._running: dict[tuple[bool, bool], asyncio.Task[tuple[bytes, str]]] = {}

    async def scrape(self, accept: str, *, compressed: bool) -> tuple[bytes, str]:
        """The body, gzipped if `compressed`, and its content type."""
        key = (prefers_openmetrics(accept), compressed)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._render(accept, compressed))
            self._running[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        # A scraper that hangs up must not take the answer from the others.
        return await asyncio.shield(task)

    def _over(self, key: tuple[bool, bool], task: asyncio.Task[tuple[bytes, str]]) -> None:
        del self._running[key]
        # Everybody may have hung up: then nobody else asks what became of it.
        if not task.cancelled():
            task.exception()

    async def _render(self, accept: str, compressed: bool) -> tuple[bytes, str]:
        if self._merging is not None:
            return await self._render_merged(self._merging, compressed)
        snapshot = self._snapshot()
        if self._before_shown is None:
            return await asyncio.to_thread(_body, snapshot, accept, compressed)
        rendering = asyncio.to_thread(_body, snapshot, accept, compressed)
        _, body = await asyncio.gather(self._before_shown(snapshot), rendering)
        return body

    async def _render_merged(self, merging: Merging, compressed: bool) -> tuple[bytes, str]:
        """Theirs first: what fails is then counted in what is shown. Never waits long, never raises."""
        theirs = await merging.fetch()
        snapshot = self._snapshot()
        if self._before_shown is not None:
            await self._before_shown(snapshot)
        return await asyncio.to_thread(_merged_body, snapshot, theirs, compressed)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header wants gzip; any text will do."""
    for item in accept_encoding.lower().split(","):
        coding, *rest = (part.strip() for part in item.split(";"))
        if coding == "gzip":
            return not any(part.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in rest)
    return False


def _merged_body(snapshot: Snapshot, theirs: bytes, compressed: bool) -> tuple[bytes, str]:
    # Ours again where theirs could not be had.
    ours, content_type = render(snapshot, process=not theirs)
    body = ours + theirs
    return (gzip.compress(body, _GZIP_LEVEL) if compressed else body), content_type


def _body(snapshot: Snapshot, accept: str, compressed: bool) -> tuple[bytes, str]:
    body, content_type = render(snapshot, accept)
    return (gzip.compress(body, _GZIP_LEVEL) if compressed else body), content_type
