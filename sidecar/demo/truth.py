"""What the rows really were, posted some seconds after the model was asked: labels as a team would send them.

Batches, from beside the sidecar; nothing waits for it. The trap: it tells the sidecar the truth about rows,
never about faults; that quality falls has to be seen in the labels.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import aiohttp

# Late enough to be a delayed label, early enough for a demo.
DELAY_SECONDS = 3.0
_EVERY_SECONDS = 1.0
# A minute of requests; what is not posted by then is of no use to anybody.
_LIMIT = 6_000
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


class Truth:
    """Knows the labels of rows that were asked about, by the id of the request."""

    def __init__(self, admin_url: str) -> None:
        self._url = f"{admin_url}/api/v1/labels"
        self._waiting: deque[tuple[float, str, Sequence[str]]] = deque(maxlen=_LIMIT)

    def add(self, identity: str, labels: Sequence[str], now: float) -> None:
        """The rows of this request are these; `now` is on the loop's clock."""
        self._waiting.append((now + DELAY_SECONDS, identity, labels))

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Post what is due, every second, until `stop`."""
        while not stop.is_set():
            await asyncio.sleep(_EVERY_SECONDS)
            if due := self._due(asyncio.get_running_loop().time()):
                await self._post(session, due)

    def _due(self, now: float) -> list[dict[str, Any]]:
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            _, identity, labels = self._waiting.popleft()
            due.append({"id": identity, "labels": list(labels)})
        return due

    async def _post(self, session: aiohttp.ClientSession, labels: list[dict[str, Any]]) -> None:
        try:
            async with session.post(self._url, json=labels, timeout=_TIMEOUT) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return  # an observer that restarts; the next ones come in a second
