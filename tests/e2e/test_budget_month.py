"""The budget that is left, over real months: the rule's own expression, asked of a real Prometheus.

promtool holds 10,000 samples at a time, and thirty days of five minutes are 8,640 for each sum. So blocks are
made of counters of forty days, and what is recorded on the way stands in the expression itself.
"""

import asyncio
import re
import shutil

import aiohttp
import pytest

from sidecar.demo import processes
from sidecar.demo.monitoring import answers
from sidecar.generators.health_rules import BUDGET
from tests.e2e.conftest import missing
from tests.generators import promql

BEGAN = 1_767_225_600  # 2026-01-01; only distances matter
DAY, SCRAPE = 86_400, 150
OBJECTIVE = 0.999
# Model → from which day to which, and how many of a hundred requests a scrape are bad; the day of a restart.
HISTORY = {
    "two-bad-days": ([(0, 2, 2), (2, 40, 0)], None),
    "restarted": ([(0, 2, 2), (2, 40, 0)], 12),
    # One bad scrape in twenty has one of a hundred: half of what may be
    "new": ([(20, 30, 0.05)], None),
}


def whole(expr):
    """The expression with what it reads of recordings in its place."""
    for name, recorded in promql.recorded().items():
        if ":" in name and name in expr:
            expr = whole(re.sub(rf"(?<![\w:]){re.escape(name)}(?![\w:])", f"({recorded})", expr))
    return expr


def lines():
    """OpenMetrics with times, family by family, as blocks are made of."""
    events, objectives = [], []
    for model, (spans, restart) in HISTORY.items():
        of = f'job="m",instance="a",model_name="{model}",model_version="3",slo="availability"'
        count = {"good": 0.0, "bad": 0.0}
        for first, last, bad in spans:
            for at in range(first * DAY, last * DAY, SCRAPE):
                if restart is not None and at == restart * DAY:
                    count = {"good": 0.0, "bad": 0.0}
                count["bad"] += bad
                count["good"] += 100 - bad
                for result, value in count.items():
                    sample = f'inference_slo_events_total{{{of},result="{result}"}} {value} {BEGAN + at}'
                    events.append((model, result, sample))
                objectives.append(f"inference_slo_objective_ratio{{{of}}} {OBJECTIVE} {BEGAN + at}")
    yield "# TYPE inference_slo_events counter"
    yield from (sample for _, _, sample in sorted(events, key=lambda e: e[:2]))
    yield "# TYPE inference_slo_objective_ratio gauge"
    yield from objectives
    yield "# EOF"


@pytest.fixture
def blocks(tmp_path):
    """The directory of a Prometheus that has seen all of it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool is not installed")
    (tmp_path / "in.txt").write_text("\n".join(lines()) + "\n")
    arguments = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1000h"]
    arguments += [str(tmp_path / "in.txt"), str(tmp_path / "data")]
    asyncio.run(processes.finished("promtool", arguments, tmp_path / "promtool.log"))
    return tmp_path


async def left(url, day):
    async with aiohttp.ClientSession() as session:
        asked = {"query": whole(promql.recorded()[BUDGET]), "time": str(BEGAN + day * DAY - SCRAPE)}
        async with session.post(f"{url}/api/v1/query", data=asked) as response:
            found = (await response.json())["data"]["result"]
    return {one["metric"]["model_name"]: float(one["value"][1]) for one in found}


async def ask(programs, directory, days):
    (port,) = processes.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    (directory / "empty.yml").write_text("{}")
    arguments = [programs.prometheus, f"--config.file={directory / 'empty.yml'}", "--log.level=error"]
    arguments += [f"--storage.tsdb.path={directory / 'data'}", "--storage.tsdb.retention.time=100y"]
    arguments += [f"--web.listen-address=127.0.0.1:{port}"]
    async with processes.running("prometheus", arguments, directory / "prometheus.log") as child:
        await processes.until(lambda: answers(f"{url}/-/ready"), child)
        return [await left(url, day) for day in days]


def test_what_is_left_is_that_of_thirty_days_no_more_and_no_less(programs, blocks):
    after_2, after_30, after_31, after_33 = asyncio.run(ask(programs, blocks, (2, 30, 31, 33)))

    # All of two days: twenty times what may be.
    assert after_2["two-bad-days"] == pytest.approx(-19, abs=0.01)
    # Two days of thirty: four thirds. One of thirty: two thirds. None.
    assert after_30["two-bad-days"] == pytest.approx(-1 / 3, abs=0.002)
    assert after_31["two-bad-days"] == pytest.approx(1 / 3, abs=0.002)
    assert after_33["two-bad-days"] == pytest.approx(1, abs=1e-6)
    # A restart loses what was between two scrapes, no more.
    assert after_30["restarted"] == pytest.approx(-1 / 3, abs=0.003)
    # Ten days there are: of these.
    assert after_30["new"] == pytest.approx(0.5, abs=0.002)
    assert "new" not in after_2
