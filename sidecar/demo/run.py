"""The demo, start to finish: prepare, play, report."""

import asyncio
import json
import signal
import sys
from typing import TextIO

from rich.console import Console

from sidecar.demo import dataset, monitoring, scenario, summary
from sidecar.demo.chat_traffic import ChatTraffic
from sidecar.demo.director import Clients, Director
from sidecar.demo.stack import stack
from sidecar.demo.stories import STORIES, Story
from sidecar.demo.traffic import Traffic
from sidecar.demo.truth import Truth
from sidecar.demo.view import LiveView, PlainView

# Said, because what the real rules do takes 360 times as long.
_SHORTENED = ", and Prometheus with rules whose hours last 10 s"
_NEXT = "\nIn front of your own model server: sidecar run --upstream HOST:PORT"


def run_demo(
    seconds: float | None = None, headless: bool = False, incident: bool = True, story: str = "default"
) -> int:
    """Run the demo called `story` and return its exit code: 0 when everything promised was seen, else 1.

    `seconds` is the length of the story, not counting the few it takes to start and stop. Headless, the
    last line on standard output is the summary as JSON and everything else goes to standard error.
    Interrupted, it stops what it started and returns 128 plus the signal's number. Raises SidecarError.
    """
    told = STORIES[story]
    length = scenario.DEFAULT_SECONDS if seconds is None else seconds
    scenes = scenario.script(length, incident, told.phases)
    interrupted: list[int] = []
    try:
        report = asyncio.run(_demo(told, scenes, headless, interrupted))
    except asyncio.CancelledError:
        return 128 + interrupted[0] if interrupted else 1
    return _conclude(report, headless)


async def _demo(
    story: Story, scenes: tuple[scenario.Scene, ...], headless: bool, interrupted: list[int]
) -> summary.Report:
    _cancel_on_signal(interrupted)
    programs = monitoring.installed()
    data = dataset.load()
    with _view(headless) as view:
        if programs is None:
            view.say(monitoring.HOW_TO_INSTALL)
        view.say(
            "starting a model server, the sidecar" + (", Prometheus and Alertmanager" if programs else "")
        )
        async with stack(data, programs, story.backend) as parts:
            view.say(f"status page, while it runs: {parts.admin_url}/")
            director = Director(
                parts, clients(story, parts.url, data, parts.admin_url), scenes, view,
                alarms=story.alarms, objectives=story.objectives,
            )  # fmt: skip
            return await director.play()


def clients(story: Story, url: str, data: dataset.Data, admin_url: str = "") -> Clients:
    """Who asks, in this story; with an `admin_url` they tell the sidecar later what rows really were."""
    if story.generates:
        return ChatTraffic(url)
    return Traffic(
        url,
        [labelled.row for labelled in data.traffic],
        labels=[labelled.label for labelled in data.traffic],
        truth=Truth(admin_url) if admin_url else None,
    )


def _cancel_on_signal(interrupted: list[int]) -> None:
    """The first signal ends the demo; more of them must not keep it from cleaning up."""
    task = asyncio.current_task()
    assert task is not None

    def cancel(number: int) -> None:
        if not interrupted:
            interrupted.append(number)
            task.cancel()

    # A terminal that is closed hangs up: what was started must not stay behind it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, cancel, number)


def _view(headless: bool) -> LiveView | PlainView:
    if headless:
        return PlainView(sys.stderr)
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView(sys.stdout)


def _conclude(report: summary.Report, headless: bool) -> int:
    problems = summary.problems(report)
    out: TextIO = sys.stderr if headless else sys.stdout
    for line in summary.as_text(report):
        print(line, file=out)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    if not headless:
        print(_NEXT)
    else:
        print(json.dumps(summary.as_json(report)))
    return 1 if problems else 0
