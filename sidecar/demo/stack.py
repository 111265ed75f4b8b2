"""Everything the demo runs on this machine: model server, sidecar, and Prometheus if there is one.

The sidecar is the real one, started as a user would start it, from a configuration file and a reference
that `sidecar profile` made. All of it listens on loopback, on free ports, and lives in one temporary
directory; when the block ends nothing of it is left.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from sidecar.clock import monotonic
from sidecar.demo import dataset, model, samples, scenario
from sidecar.demo.backend import SEGMENTS, Backend
from sidecar.demo.faults import ServerFault
from sidecar.demo.monitoring import Monitoring, Programs, answers, monitoring
from sidecar.demo.processes import Child, finished, free_ports, running, until
from sidecar.errors import SidecarError
from sidecar.generators import files, rules

_REPORT_SECONDS = 5.0
_SCRAPE_SECONDS = 5.0


@dataclass(slots=True)
class ModelControl:
    """Our side of the model server's private channel."""

    child: Child

    async def inject(self, fault: ServerFault) -> None:
        """Put a fault in force."""
        stdin = self.child.process.stdin
        assert stdin is not None
        stdin.write(fault.encode())
        await stdin.drain()

    async def stop(self) -> tuple[int, int]:
        """End the server; how many inferences it answered, and how many it failed on purpose."""
        stdin, stdout = self.child.process.stdin, self.child.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.close()
        line = await asyncio.wait_for(stdout.readline(), _REPORT_SECONDS)
        counts = json.loads(line)
        return counts["answered"], counts["failed"]


@dataclass(slots=True)
class Stack:
    """What runs: where to send requests, where to read metrics, and the model's faults."""

    directory: Path
    url: str
    admin_url: str
    model: ModelControl
    sidecar: Child
    monitoring: Monitoring | None
    session: aiohttp.ClientSession
    ready: str = SEGMENTS.ready

    async def scrape(self) -> samples.Samples:
        """The sidecar's metrics, now. Raises SidecarError when it does not give any."""
        try:
            async with self.session.get(f"{self.admin_url}/metrics") as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SidecarError(f"cannot read {self.admin_url}/metrics: {error!r}") from error
        return samples.parse(text, monotonic())

    async def observes(self) -> bool:
        """The whole way from relay to metrics works: a probe sent through it is counted.

        Being ready is not enough here: traffic is relayed before the observer watches, and the demo wants
        to account for every request.
        """
        if not await answers(self.url + self.ready):
            return False
        try:
            return (await self.scrape()).total("sidecar_other_exchanges_total", kind="probe") > 0
        except SidecarError:
            return False


@asynccontextmanager
async def stack(
    data: dataset.Data, programs: Programs | None, backend: Backend = SEGMENTS
) -> AsyncIterator[Stack]:
    """Start everything, in order, and stop it in the other. Raises SidecarError when a part fails."""
    async with AsyncExitStack() as parts:
        directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="sidecar-demo-")))
        model_port, port, admin_port = free_ports(3)
        control = await _start_model(parts, directory, model_port, backend)
        if backend.reference:
            await _build_reference(directory, data)  # while the model learns
        await until(lambda: answers(f"http://127.0.0.1:{model_port}{backend.ready}"), control.child)
        config = _write_config(directory, model_port, port, admin_port, backend)
        sidecar = await _start_sidecar(parts, config)
        timeout = aiohttp.ClientTimeout(total=_SCRAPE_SECONDS)
        session = await parts.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        url, admin_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
        whole = Stack(directory, url, admin_url, control, sidecar, None, session, backend.ready)
        await until(whole.observes, sidecar)
        if programs is not None:
            watched = monitoring(programs, directory, _write_rules(directory), [f"127.0.0.1:{admin_port}"])
            whole.monitoring = await parts.enter_async_context(watched)
        yield whole


async def _start_model(parts: AsyncExitStack, directory: Path, port: int, backend: Backend) -> ModelControl:
    arguments = [sys.executable, "-m", backend.module, "--port", str(port), "--controlled", *backend.flags]
    log = directory / "model.log"
    return ModelControl(
        await parts.enter_async_context(running("the model server", arguments, log, piped=True))
    )


async def _start_sidecar(parts: AsyncExitStack, config: Path) -> Child:
    arguments, log = _sidecar("run", "--config", str(config)), config.parent / "sidecar.log"
    return await parts.enter_async_context(running("the sidecar", arguments, log))


async def _build_reference(directory: Path, data: dataset.Data) -> None:
    """Make the reference from the training rows and what the model says about them, with the real command."""
    classifier = model.train(data.training)
    table = directory / "training.csv"
    dataset.write_table(table, data.training, [classifier.predict(one.row) for one in data.training])
    arguments = _sidecar(
        "profile", str(table), "-o", str(directory / "reference.json"),
        "--prediction", dataset.LABEL, "--prediction", dataset.SCORE,
    )  # fmt: skip
    await finished("sidecar profile", arguments, directory / "profile.log")


def _write_config(directory: Path, model_port: int, port: int, admin_port: int, backend: Backend) -> Path:
    config: dict[str, Any] = {
        "upstream": f"127.0.0.1:{model_port}",
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{admin_port}",
        "model": dict(backend.model),
        "slos": dict(backend.slos),
        "drain": {"grace": "0s", "deadline": "5s"},
    }
    if backend.reference:
        config["reference"] = str(directory / "reference.json")
    path = directory / "sidecar.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _write_rules(directory: Path) -> Path:
    """The shipped rules, an hour shortened to ten seconds."""
    where = directory / "rules"
    files.write(where, rules.generate(window_scale=scenario.WINDOW_SCALE))
    return where


def _sidecar(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sidecar", *arguments]
