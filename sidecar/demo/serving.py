"""How the demo's model servers are run: on loopback, until told to stop, obeying faults on standard input.

With `--controlled` a server reads faults from standard input, one JSON object a line, and ends with it; when
it ends it says on standard output how many inferences it answered and how many it failed on purpose. That
is the demo's truth about what was injected, and the sidecar has no way to see it.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from typing import Protocol

from aiohttp import web

from sidecar.demo.faults import ServerFault


class Served(Protocol):
    """A model server: its routes, the fault in force, and its accounts."""

    fault: ServerFault
    answered: int
    failed: int

    def application(self) -> web.Application:
        """The routes."""


def arguments(program: str, about: str | None) -> argparse.ArgumentParser:
    """The flags that every server of the demo has."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--controlled", action="store_true", help="obey faults on standard input")
    return parser


async def serve(server: Served, host: str, port: int, controlled: bool) -> None:
    """Serve until SIGTERM, SIGINT or, when controlled, the end of standard input."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        control = asyncio.create_task(_obey(server, stop)) if controlled else None
        await stop.wait()
        if control is not None:
            control.cancel()
    finally:
        await runner.cleanup()
    if controlled:
        # Nobody may be left to read it.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"answered": server.answered, "failed": server.failed}), flush=True)


async def _obey(server: Served, stop: asyncio.Event) -> None:
    """Take faults from standard input until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        server.fault = ServerFault.decode(line)
    stop.set()
