"""From cause to person: ten things that go wrong, the alert of each, its route, its runbook, and the seconds.

One model server with a model for each fault, so that most of them are injected at one moment and none
explains another's alert. Rules, routes and inhibitions are the shipped ones; an hour is ten seconds, and
Alertmanager does not wait for company. The table of docs/alerting.md comes from here (-s prints it).
"""

import asyncio
import contextlib
import csv
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml
from aiohttp import web

from sidecar.clock import monotonic
from sidecar.demo import scenario
from sidecar.demo.monitoring import Programs, answers
from sidecar.demo.processes import Child, finished, free_ports, running, until
from sidecar.generators import files, rules
from tests.e2e.conftest import eventually
from tests.e2e.processes import observer_of

ROOT = Path(__file__).parents[2]
ROWS = 20
# Past this, an alert that takes seconds is not coming.
ALERT_SECONDS = 45.0
# Yesterday is four minutes here, without the last ten seconds: what is usual is known after those.
USUAL_SECONDS = 22.0

# Fault → what it must raise and who gets it. Where several are right, the first to arrive counts.
AT_ONCE = {
    "latency spike": ({"InferenceLatencyBurn"}, "page"),
    "5xx burst": ({"InferenceAvailabilityBurn"}, "page"),
    "NaN predictions": ({"InferencePredictionsInvalid"}, "page"),
    "null surge": ({"InferenceFeatureNullSurge"}, "ticket"),
    "type change": ({"InferenceFeatureTypeChanged"}, "ticket"),
    "feature shift": ({"InferenceDrift"}, "ticket|page"),
    "unit change": ({"InferenceDrift", "InferenceFeatureOutOfRange"}, "ticket|page"),
    "unapproved version": ({"InferenceModelVersionUnexpected"}, "ticket"),
}
MODELS = {fault: fault.replace(" ", "-").lower() for fault in AT_ONCE}
DOWN = ({"InferenceUpstreamUnreachable"}, "page")
BLIND = (
    {"InferenceSidecarAbsent", "InferenceSidecarObserverRestarting", "InferenceSidecarNoData"},
    "ticket|page",
)


@dataclass
class World:
    """The faults in force, and what arrived: (receiver, labels, annotations, moment)."""

    faults: set[str] = field(default_factory=set)
    received: list[tuple[str, dict[str, str], dict[str, str], float]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    def row(self) -> dict[str, Any]:
        return {"age": self.chance.gauss(50, 10), "income": self.chance.gauss(3_000, 500)}

    def request(self, model: str) -> dict[str, Any]:
        """A request of one model, spoilt by the fault named after it."""
        rows = [self.row() for _ in range(ROWS)]
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
        ages = columns["age"]
        spoilt: dict[str, Callable[[], list[Any]]] = {
            "null-surge": lambda: [None if i % 3 == 0 else age for i, age in enumerate(ages)],
            "type-change": lambda: [f"{age:.0f} years" for age in ages],
            "feature-shift": lambda: [age + 20 for age in ages],
            "unit-change": lambda: [age * 12 for age in ages],
        }
        if model in self.faults and model in spoilt:
            columns["age"] = spoilt[model]()
        return {"inputs": [_tensor(name, values) for name, values in columns.items()]}

    async def answer(self, request: web.Request) -> web.Response:
        """What the model server does."""
        model = request.match_info["model"]
        faulty = model in self.faults
        if faulty and model == "latency-spike":
            await asyncio.sleep(0.4)
        if faulty and model == "5xx-burst" and self.chance.random() < 0.5:
            return web.json_response({"error": "no worker free"}, status=503)
        scores = [self.chance.betavariate(2, 5) for _ in range(ROWS)]
        if faulty and model == "nan-predictions":
            scores = [float("nan")] * ROWS
        version = "9" if faulty and model == "unapproved-version" else "1"
        return web.json_response(
            {"model_name": model, "model_version": version, "outputs": [_tensor("score", scores)]}
        )

    async def webhook(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            if alert["status"] == "firing":
                one = (request.match_info["receiver"], alert["labels"], alert["annotations"], monotonic())
                self.received.append(one)
        return web.Response()

    async def ask_forever(self, url: str) -> None:
        """Ten requests a second of each model, whatever becomes of them."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            asyncio.TaskGroup() as g,
        ):
            while True:
                for model in MODELS.values():
                    g.create_task(self._ask(session, url, model))
                await asyncio.sleep(0.1)

    async def _ask(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        body = orjson.dumps(self.request(model))
        path = f"{url}/v2/models/{model}/infer"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(path, data=body, headers={"content-type": "application/json"}) as answer:
                await answer.read()


def _tensor(name: str, values: list[Any]) -> dict[str, Any]:
    kind = "BYTES" if any(isinstance(value, str) for value in values) else "FP64"
    return {"name": name, "datatype": kind, "shape": [len(values)], "data": values}


@contextlib.asynccontextmanager
async def served(world: World, port: int) -> AsyncIterator[None]:
    """The model server and the webhooks."""
    app = web.Application()
    app.router.add_post("/v2/models/{model}/infer", world.answer)
    app.router.add_post("/hook/{receiver}", world.webhook)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def started(
    parts: contextlib.AsyncExitStack, name: str, arguments: list[str], at: Path, ready: str
) -> Child:
    child = await parts.enter_async_context(running(name, arguments, at / f"{name}.log"))
    await until(lambda: answers(ready), child)
    return child


async def sidecar(
    parts: contextlib.AsyncExitStack, at: Path, world: World, model: int, ports: list[int]
) -> Child:
    table, reference = at / "training.csv", at / "reference.json"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "income"])
        writer.writerows(list(world.row().values()) for _ in range(2_000))
    await finished("profile", [*_SIDECAR, "profile", str(table), "-o", str(reference)], at / "profile.log")
    quiet = {"features": {name: {"required": False} for name in ("age", "income")}}
    config = {
        "upstream": f"127.0.0.1:{model}",
        "listen": f"127.0.0.1:{ports[0]}",
        "admin": f"127.0.0.1:{ports[1]}",
        "reference": str(reference),
        **quiet,
        "models": {
            "latency-spike": {
                "slos": {"latency": {"objective": 97, "threshold": "200ms"}},
                "owner": "risk-ml",
            },
            "unapproved-version": {"approved_versions": ["1"]},
        },
        "drain": {"grace": "0s", "deadline": "1s"},
    }
    (at / "sidecar.yaml").write_text(yaml.safe_dump(config))
    arguments = [*_SIDECAR, "run", "--config", str(at / "sidecar.yaml")]
    return await started(parts, "sidecar", arguments, at, f"http://127.0.0.1:{ports[1]}/metrics")


async def monitoring(
    parts: contextlib.AsyncExitStack, programs: Programs, at: Path, hooks: int, admin: int, ports: list[int]
) -> None:
    """The shipped routes with their receivers here, and the shipped rules with an hour of ten seconds."""
    config = yaml.safe_load((ROOT / "alert-rules" / "alertmanager.yaml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    names = {"on-call": "page", "ml-tickets": "ticket"}
    for receiver in config["receivers"]:
        if receiver["name"] in names:
            url = f"http://127.0.0.1:{hooks}/hook/{names[receiver['name']]}"
            receiver["webhook_configs"] = [{"url": url, "send_resolved": False}]
    (at / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = f"--web.listen-address=127.0.0.1:{ports[0]}"
    arguments = [programs.alertmanager, f"--config.file={at / 'alertmanager.yml'}", address]
    arguments += [f"--storage.path={at / 'am'}", "--cluster.listen-address="]
    await started(parts, "alertmanager", arguments, at, f"http://127.0.0.1:{ports[0]}/-/ready")
    files.write(at / "rules", rules.generate(window_scale=scenario.WINDOW_SCALE))
    prometheus = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(at / "rules" / "*.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[0]}"]}]}]},
        "scrape_configs": [{"job_name": "models", "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}]}],
    }
    (at / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
    address = f"--web.listen-address=127.0.0.1:{ports[1]}"
    arguments = [programs.prometheus, f"--config.file={at / 'prometheus.yml'}", address]
    arguments += [f"--storage.tsdb.path={at / 'db'}"]
    await started(parts, "prometheus", arguments, at, f"http://127.0.0.1:{ports[1]}/-/ready")


def arrived(world: World, names: set[str], receivers: str, since: float, model: str = "") -> Any:
    """The first notification of one of these alerts to one of these receivers; None while there is none."""
    for receiver, labels, annotations, moment in world.received:
        right = labels["alertname"] in names and receiver in receivers.split("|")
        if right and moment >= since and labels.get("model_name", "") in (model, ""):
            return receiver, labels, annotations, moment - since
    return None


async def test_what_goes_wrong_reaches_whoever_should_know(programs: Programs, tmp_path: Path):
    world, table = World(), {}
    model, hooks, *ports = free_ports(6)
    async with contextlib.AsyncExitStack() as parts:
        await parts.enter_async_context(served(world, hooks))
        server = contextlib.AsyncExitStack()
        await parts.enter_async_context(server)
        await server.enter_async_context(served(world, model))
        running_sidecar = await sidecar(parts, tmp_path, world, model, ports[:2])
        await monitoring(parts, programs, tmp_path, hooks, ports[1], ports[2:])
        traffic = asyncio.create_task(world.ask_forever(f"http://127.0.0.1:{ports[0]}"))
        try:
            await asyncio.sleep(USUAL_SECONDS)
            assert [labels for _, labels, *_ in world.received] == []

            since = monotonic()
            world.faults = set(MODELS.values())

            async def all_arrived() -> bool:
                for fault, (names, receivers) in AT_ONCE.items():
                    if found := arrived(world, names, receivers, since, MODELS[fault]):
                        table.setdefault(fault, found)
                return set(table) == set(AT_ONCE)

            try:
                await eventually(all_arrived, "all alerts received", ALERT_SECONDS)
            finally:
                show(table)
            world.faults = set()

            async def one_arrived(fault: str, names: set[str], receivers: str, since: float) -> None:
                async def check() -> bool:
                    if found := arrived(world, names, receivers, since):
                        table[fault] = found
                    return fault in table

                await eventually(check, f"{fault}: one of {names}", ALERT_SECONDS)

            await server.aclose()
            await one_arrived("upstream down", *DOWN, monotonic())
            await server.enter_async_context(served(world, model))
            killing = asyncio.create_task(_kill(running_sidecar.process.pid))
            await one_arrived("observer dead", *BLIND, monotonic())
            killing.cancel()
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
    show(table)
    for fault, (receiver, labels, annotations, _) in table.items():
        page = annotations["runbook_url"].rpartition("/")[2]
        assert (ROOT / "docs" / "runbooks" / page).is_file(), fault
        assert labels["severity"] == receiver, fault
    assert table["latency spike"][1]["owner"] == "risk-ml"


async def _kill(pid: int) -> None:
    """Every observer as it comes."""
    while True:
        if (observer := observer_of(pid)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(observer, signal.SIGKILL)
        await asyncio.sleep(0.2)


def show(table: dict[str, Any]) -> None:
    """The rows of docs/alerting.md."""
    for fault, (receiver, labels, annotations, seconds) in table.items():
        name, page = labels["alertname"], annotations["runbook_url"].rpartition("/")[2]
        print(f"| {fault} | {name} | {receiver} | [{page}](runbooks/{page}) | {seconds:.0f} |")


_SIDECAR = [sys.executable, "-m", "sidecar"]
