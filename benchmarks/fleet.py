"""What the fleet's drift rules cost Prometheus: `python -m benchmarks.fleet [--replicas 10 100]`.

Starts the Prometheus that is installed, lets it scrape so many replicas of one model with 30 features, and
reads what its own rule groups say they took. Scraped every second with windows of twenty, so that a window
holds as many samples as five minutes of a scrape every 15 s. No sidecar runs; the series are those of a given
reference with ten bins.
"""

import argparse
import asyncio
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from sidecar import clock
from sidecar.demo.monitoring import answers, installed
from sidecar.demo.processes import free_ports, running, until
from sidecar.generators import files, fleet_rules, rules

FEATURES = 30
# Ten bins, and those of null and of invalid values.
BINS = 12
# One second stands for fifteen.
SCALE = Fraction(1, 15)
SETTLE_SECONDS = 45.0


def exposition() -> str:
    """What one replica shows of its distributions."""
    lines = []
    for feature in range(FEATURES):
        column = f'model_name="churn",model_version="3",kind="feature",name="feature_{feature}"'
        lines.append(f'inference_reference_rows{{{column},profile="0123456789ab"}} 100000')
        for bin_ in range(BINS):
            labels = f'{column},bin="bin number {bin_}",profile="0123456789ab"'
            lines.append(f"inference_distribution_rows_total{{{labels}}} VALUE")
            lines.append(f"inference_reference_ratio{{{labels}}} {1 / BINS}")
    return "\n".join(lines) + "\n"


async def measure(replicas: int, directory: Path) -> dict[str, float]:
    """Seconds per evaluation of each group, series, and megabytes of memory."""
    programs = installed()
    if programs is None:
        raise SystemExit("prometheus is not installed (apt-get install prometheus)")
    body = exposition().encode()

    async def metrics(_: web.Request) -> web.Response:
        now = str(int(clock.monotonic() * 10)).encode()
        return web.Response(body=body.replace(b"VALUE", now), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics/{replica}", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        return await _with_prometheus(programs.prometheus, runner.addresses[0][1], replicas, directory)
    finally:
        await runner.cleanup()


async def _with_prometheus(program: str, target: int, replicas: int, directory: Path) -> dict[str, float]:
    (port,) = free_ports(1)
    config = _config(target, replicas, directory)
    arguments = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                 f"--storage.tsdb.path={directory / 'data'}"]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    async with running("Prometheus", arguments, directory / "prometheus.log") as child:
        await until(lambda: answers(f"{url}/-/ready"), child)
        await asyncio.sleep(SETTLE_SECONDS)
        return await _figures(url, child.process.pid)


def _config(target: int, replicas: int, directory: Path) -> Path:
    """Every replica is a path of one server; its number becomes the instance."""
    scrapes = [
        {
            "targets": [f"127.0.0.1:{target}"],
            "labels": {"__metrics_path__": f"/metrics/{i}", "instance": str(i)},
        }
        for i in range(replicas)
    ]
    fleet = rules.generate(window_scale=SCALE)["fleet-drift.rules.yaml"]
    files.write(directory / "rules", {"fleet.yaml": fleet})
    config = directory / "prometheus.yml"
    config.write_text(
        yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "4s"},
            "rule_files": [str(directory / "rules" / "fleet.yaml")],
            "scrape_configs": [{"job_name": "models", "static_configs": scrapes}],
        })
    )  # fmt: skip
    return config


async def _figures(url: str, pid: int) -> dict[str, float]:
    async with aiohttp.ClientSession() as session:
        groups = (await _get(session, f"{url}/api/v1/rules"))["groups"]
        figures = {group["name"]: float(group["evaluationTime"]) for group in groups}
        bad = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
        query = f"{url}/api/v1/query?query="
        found = await _get(session, f"{query}count({fleet_rules.PSI})")
        scored = float(found["result"][0]["value"][1]) if found["result"] else 0.0
        scraped = await _get(session, f"{query}sum(scrape_samples_scraped)")
    if bad or scored != FEATURES:
        raise SystemExit(f"the rules did not work: {scored:g} of {FEATURES} features, {bad}")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return {**figures, "series": float(scraped["result"][0]["value"][1]), "MB": pages * 4096 / 1e6}


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        return (await response.json())["data"]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="+", default=[10, 100])
    print("| replicas | series | scores, s | reference, s | Prometheus, MB |\n|---|---|---|---|---|")
    for replicas in parser.parse_args().replicas:
        with tempfile.TemporaryDirectory() as directory:
            got = asyncio.run(measure(replicas, Path(directory)))
        times = f"{got['inference-fleet-drift']:.2f} | {got['inference-fleet-reference']:.2f}"
        print(f"| {replicas} | {got['series']:,.0f} | {times} | {got['MB']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
