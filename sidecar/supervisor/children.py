"""Our child processes: started with a setup, talked to in JSON lines, started again when they end.

A child has one inherited socket: its setup comes first, commands follow, its reports come back, and its
end of file is the order to leave. Writing to it never waits: a stopped child costs us nothing.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sidecar import clock

# A child that dies at once is tried again quickly, then ever more slowly: a crash loop must not eat the
# processor the model needs.
_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 10.0
# A child that lived this long has proved itself: the next end is a new story.
_HEALTHY_AFTER_SECONDS = 30.0
# A child that is gone has closed its socket; only a process it left behind could hold it open.
_LAST_WORDS_SECONDS = 0.2

# numpy's linear algebra would start a thread for every core, for work we do not have.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

Message = dict[str, Any]


class Child:
    """One process that should always be there. `module` is run with the inherited descriptor as argument.

    `setup()` is asked for the first message at every start; `on_message` gets each report;
    `on_exit(reason)` is told "exit", "signal" or what `restart` was given, before it is started again.
    """

    def __init__(
        self,
        module: str,
        setup: Callable[[], tuple[Message, Sequence[int]]],
        on_message: Callable[[Message], None],
        on_exit: Callable[[str], None],
    ) -> None:
        self._module = module
        self._setup = setup
        self._on_message = on_message
        self._on_exit = on_exit
        self._wanted = True
        self._reason = ""
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and again whenever it ends, until `release` or `kill`."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    @property
    def pid(self) -> int | None:
        """The process now running, if there is one."""
        return self._process.pid if self._process is not None else None

    def send(self, message: Message) -> None:
        """Say something if it can be said without waiting."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(_line(message))

    def restart(self, reason: str, last_words: Message, within: float) -> None:
        """Have it leave and start it again; it is killed when it has not left after `within` seconds."""
        process = self._process
        if self._reason or not self._wanted or process is None or process.returncode is not None:
            return  # it is being restarted already, or leaves, or starts anyway
        self._reason = reason
        self.send(last_words)
        asyncio.get_running_loop().call_later(within, _kill, process)

    def release(self, last_words: Message) -> None:
        """Tell it to leave and do not start it again."""
        self._wanted = False
        self.send(last_words)

    async def gone(self, within: float) -> bool:
        """Wait until a released child has left; kill it when `within` seconds are over."""
        if self._task is None:
            return True
        done, _ = await asyncio.wait([self._task], timeout=within)
        if not done:
            self.kill()
            await asyncio.wait([self._task], timeout=2.0)
        return bool(done)

    def kill(self) -> None:
        """End it now."""
        self._wanted = False
        if self._process is not None:
            _kill(self._process)

    async def _keep(self) -> None:
        pause = _FIRST_RETRY_SECONDS
        while self._wanted:
            started = clock.monotonic()
            code = await self._run_once()
            if not self._wanted:
                return
            self._on_exit(self._reason or ("signal" if code < 0 else "exit"))
            self._reason = ""
            if clock.monotonic() - started > _HEALTHY_AFTER_SECONDS:
                pause = _FIRST_RETRY_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    async def _run_once(self) -> int:
        ours, theirs = socket.socketpair()
        setup, descriptors = self._setup()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, str(theirs.fileno())),
                pass_fds=(theirs.fileno(), *descriptors),
                stdin=subprocess.DEVNULL,
                env={**_ENVIRONMENT, **os.environ},
                # Ctrl-C in a terminal reaches a whole group: a child that still imports would die of it.
                process_group=0,
            )
        except OSError:
            ours.close()
            return 1
        finally:
            theirs.close()
        ours.setblocking(False)
        # The child reads its setup first thing; a large one does not fit the socket's buffer at once.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(ours, _line(setup))
        self._control = ours
        reading = asyncio.create_task(self._read(ours.dup()))
        code = await self._process.wait()
        self._control = None
        # Its last report may still wait to be read.
        await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
        reading.cancel()
        ours.close()
        return code

    async def _read(self, control: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=control, limit=1 << 20)
        try:
            while line := await reader.readline():
                with contextlib.suppress(ValueError):
                    self._on_message(json.loads(line))
        except (OSError, ValueError):
            pass
        finally:
            writer.close()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def _line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


async def all_gone(children: Sequence[Child], within: float) -> bool:
    """Wait for released children together; True if all left by themselves."""
    waits: list[Awaitable[bool]] = [child.gone(within) for child in children]
    return all(await asyncio.gather(*waits))
