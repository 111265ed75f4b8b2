"""A real Prometheus and a real Alertmanager on loopback, with the shipped rules and a webhook for pages.

Only when both are installed: the demo downloads nothing. The rules are those of `sidecar rules` with
their windows shortened, because nobody waits an hour for a demo.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from sidecar.clock import wall
from sidecar.demo.processes import free_ports, running, until
from sidecar.demo.summary import Page

HOW_TO_INSTALL = (
    "to see the pages too: apt-get install prometheus prometheus-alertmanager (or put both on the PATH)"
)


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the two programs are."""

    prometheus: str
    alertmanager: str


def installed() -> Programs | None:
    """Both programs, or None. Debian gives Alertmanager a longer name."""
    prometheus = shutil.which("prometheus")
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    return Programs(prometheus, alertmanager) if prometheus and alertmanager else None


# What one person would be told in one message: several burn rates of one objective are one page.
_ONE_PAGE = ("alertname", "severity", "model_name", "slo", "kind", "name")


@dataclass(slots=True)
class Monitoring:
    """What was started, and what arrived. `pages` grows as notifications are received."""

    prometheus_url: str = ""
    alertmanager_url: str = ""
    pages: list[Page] = field(default_factory=list)
    resolved: list[Page] = field(default_factory=list)
    open: set[str] = field(default_factory=set)


@asynccontextmanager
async def monitoring(
    programs: Programs, directory: Path, rules: Path, targets: list[str]
) -> AsyncIterator[Monitoring]:
    """Prometheus scraping `targets` each second, rules from the directory `rules`, pages by webhook."""
    state = Monitoring()
    prometheus_port, alertmanager_port = free_ports(2)
    state.prometheus_url = f"http://127.0.0.1:{prometheus_port}"
    state.alertmanager_url = f"http://127.0.0.1:{alertmanager_port}"
    async with AsyncExitStack() as stack:
        webhook = await stack.enter_async_context(_webhook(lambda body: _receive(state, body)))
        config = _write(directory / "alertmanager.yml", _alertmanager_config(webhook))
        arguments = _alertmanager(programs, config, alertmanager_port)
        await _start(stack, "Alertmanager", arguments, directory, state.alertmanager_url)
        config = _write(directory / "prometheus.yml", _prometheus_config(rules, targets, alertmanager_port))
        arguments = _prometheus(programs, config, prometheus_port)
        await _start(stack, "Prometheus", arguments, directory, state.prometheus_url)
        yield state


async def _start(stack: AsyncExitStack, name: str, arguments: list[str], directory: Path, url: str) -> None:
    child = await stack.enter_async_context(running(name, arguments, directory / f"{name}.log"))
    await until(lambda: answers(f"{url}/-/ready"), child)


async def answers(url: str) -> bool:
    """The address answers 200."""
    try:
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _prometheus(programs: Programs, config: Path, port: int) -> list[str]:
    return [
        programs.prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'prometheus-data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def _alertmanager(programs: Programs, config: Path, port: int) -> list[str]:
    return [
        programs.alertmanager,
        f"--config.file={config}",
        f"--storage.path={config.parent / 'alertmanager-data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",  # alone: no gossip port
    ]


def _prometheus_config(rules: Path, targets: list[str], alertmanager_port: int) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "*.yml"), str(rules / "*.yaml")],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]
        },
        "scrape_configs": [{"job_name": "inference-sidecar", "static_configs": [{"targets": targets}]}],
    }


def _alertmanager_config(webhook: str) -> dict[str, Any]:
    return {
        "route": {
            "receiver": "demo",
            "group_by": list(_ONE_PAGE),
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "demo", "webhook_configs": [{"url": webhook, "send_resolved": True}]},
        ],
    }


def _write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _receive(state: Monitoring, notification: dict[str, Any]) -> None:
    """Keep the first notification of a group and its last; in between it only repeats what is known."""
    labels, notes = notification.get("groupLabels", {}), notification.get("commonAnnotations", {})
    page = Page(
        alertname=labels.get("alertname", ""),
        severity=labels.get("severity", ""),
        received_at=wall(),
        summary=notes.get("summary", ""),
    )
    key = notification.get("groupKey", "")
    if notification.get("status") != "firing":
        state.open.discard(key)
        state.resolved.append(page)
    elif key not in state.open:
        state.open.add(key)
        state.pages.append(page)


@asynccontextmanager
async def _webhook(receive: Callable[[dict[str, Any]], None]) -> AsyncIterator[str]:
    """A place that notifications can be sent to: its address."""

    async def handle(request: web.Request) -> web.Response:
        receive(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
