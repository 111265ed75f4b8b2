"""The observer half as a process of its own, with nobody above it: signals, and reading its settings again.

On SIGHUP one observer leaves as at the end of a process and another takes its place within this one: relay
workers lose their link for a moment, which costs a counted gap and no connection. With `state.dir` counters
and evidence go on; without, they begin again, as after any restart. The trap: new settings may be fine and
still not work here, an address that is taken; then the old ones are taken up again.
"""

import asyncio
import logging
import signal
from collections.abc import Callable

from sidecar.config import Settings
from sidecar.errors import SidecarError
from sidecar.observer.observing import Observing

log = logging.getLogger("sidecar")

# Nobody kills us meanwhile, and the admin port still answers: worth waiting for a slow disk.
_SAVE_SECONDS = 10.0


class Alone:
    """One run of `sidecar observe`. `reread` gives the settings that the same command line comes to now."""

    def __init__(self, settings: Settings, tee: str, reread: Callable[[], Settings]) -> None:
        self._settings = settings
        self._tee = tee
        self._reread = reread
        self._told: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def run(self) -> int:
        """Observe until told to leave. Raises SidecarError if it cannot start."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(name, self._told.put_nowait, name)
        observing = await self._start(self._settings)
        while await self._told.get() is signal.SIGHUP:
            observing = await self._reload(observing)
        await observing.stop()
        return 0

    async def _start(self, settings: Settings) -> Observing:
        observing = Observing(settings, self._tee, settings.admin)
        try:
            await observing.start()
        except BaseException:
            await observing.stop()
            raise
        return observing

    async def _reload(self, old: Observing) -> Observing:
        """Who observes from now on: another one, or the old one when there is nothing new or no good."""
        try:
            settings = await asyncio.to_thread(self._reread)
        except (SidecarError, OSError, ValueError) as error:
            return _kept(old, error)
        old.reloaded(True)
        if settings == self._settings:
            log.info("the configuration was read again: nothing has changed")
            return old
        old.leaves("reload")
        await old.stop(_SAVE_SECONDS)
        try:
            new = await self._start(settings)
        except (SidecarError, OSError) as error:
            return _kept(await self._start(self._settings), error)
        self._settings = settings
        log.info("the configuration was read again")
        return new


def _kept(observing: Observing, error: Exception) -> Observing:
    observing.reloaded(False)
    log.error("the configuration is kept as it was: %s", error)
    return observing
