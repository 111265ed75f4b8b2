"""A model server that really predicts: river behind an Open Inference V2 endpoint, in its own process.

    python -m sidecar.demo.model_server --port 8000

With `--controlled` it reads faults from standard input, one JSON object a line, and ends with it; when it
ends it says on standard output how many inferences it answered and how many it failed on purpose. That
is the demo's truth about what was injected, and the sidecar has no way to see it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from dataclasses import dataclass, field

from aiohttp import web

from sidecar.demo import dataset, model, open_inference
from sidecar.demo.faults import NO_SERVER_FAULT, ServerFault

_PREFIX = f"/v2/models/{dataset.MODEL_NAME}"


@dataclass(slots=True)
class ModelServer:
    """The endpoint and its faults. `answered` and `failed` count inferences; failed ones by design."""

    classifier: model.Classifier
    features: tuple[str, ...]
    fault: ServerFault = NO_SERVER_FAULT
    answered: int = 0
    failed: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def application(self) -> web.Application:
        """The routes of the protocol that a client of one model needs."""
        app = web.Application()
        for path in ("/v2/health/live", "/v2/health/ready", f"{_PREFIX}/ready"):
            app.router.add_get(path, self.ready)
        app.router.add_get(_PREFIX, self.metadata)
        for path in (f"{_PREFIX}/infer", f"{_PREFIX}/versions/{dataset.MODEL_VERSION}/infer"):
            app.router.add_post(path, self.infer)
        return app

    async def ready(self, request: web.Request) -> web.Response:
        """Ready as soon as it listens: the model is trained before."""
        return web.json_response({"ready": True})

    async def metadata(self, request: web.Request) -> web.Response:
        """Inputs and outputs of the model."""
        return web.json_response(open_inference.metadata_of(self.features))

    async def infer(self, request: web.Request) -> web.Response:
        """Predict, after whatever fault is in force."""
        try:
            message = await request.json()
            rows = open_inference.rows_of(message)
        except (ValueError, RecursionError) as error:
            return web.json_response({"error": str(error)}, status=400)
        if self.chance.random() < self.fault.error_ratio:
            self.failed += 1
            return web.json_response({"error": "the model has no worker free"}, status=503)
        await self._be_slow()
        self.answered += 1
        predictions = [self.classifier.predict(row) for row in rows]
        return web.json_response(open_inference.answer_of(predictions, str(message.get("id", ""))))

    async def _be_slow(self) -> None:
        if self.fault.latency_seconds:
            await asyncio.sleep(self.fault.latency_seconds * self.chance.uniform(0.8, 1.2))


async def serve(server: ModelServer, host: str, port: int, controlled: bool) -> None:
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


async def _obey(server: ModelServer, stop: asyncio.Event) -> None:
    """Take faults from standard input until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        server.fault = ServerFault.decode(line)
    stop.set()


def main() -> None:
    """Train, then serve."""
    parser = argparse.ArgumentParser(prog="python -m sidecar.demo.model_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--controlled", action="store_true", help="obey faults on standard input")
    arguments = parser.parse_args()
    data = dataset.load()
    server = ModelServer(model.train(data.training), data.features)
    asyncio.run(serve(server, arguments.host, arguments.port, arguments.controlled))


if __name__ == "__main__":
    main()
