"""Runs the demos with their Prometheus, and asks it everything before it goes."""

import asyncio

from sidecar.clock import wall
from sidecar.demo import dataset, monitoring, scenario
from sidecar.demo.director import Director, Frame
from sidecar.demo.run import clients
from sidecar.demo.stack import stack
from sidecar.demo.stories import STORIES
from sidecar.demo.summary import Report
from tests.dashboards.asking import Answers, Stretch, ask

# Of the feature and the output that the stories are about.
WISHES = {"column": scenario.SHIFTED_FEATURE}


class Quiet:
    """An audience that only notes when each scene ends."""

    def __init__(self) -> None:
        self.began = wall()
        self.last_of_scene: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Nothing."""

    def show(self, frame: Frame) -> None:
        """Note the time."""
        self.last_of_scene[frame.scene.phase.name] = wall()


async def play(name: str, seconds: float, programs: monitoring.Programs) -> tuple[Report, Answers]:
    """One demo from beginning to end, and what the dashboards would have shown of it."""
    story, data, audience = STORIES[name], dataset.load(), Quiet()
    scenes = scenario.script(seconds, True, story.phases)
    async with stack(data, programs, story.backend) as parts:
        audience.began = wall()
        traffic = clients(story, parts.url, data, parts.admin_url)
        director = Director(
            parts, traffic, scenes, audience, alarms=story.alarms, objectives=story.objectives
        )
        report = await director.play()
        moments = sorted(audience.last_of_scene.values())
        stretch = Stretch(audience.began, wall(), moments)
        return report, await ask(parts.monitoring.prometheus_url, stretch, WISHES)


async def play_all(
    seconds: float, programs: monitoring.Programs, *, together: bool
) -> dict[str, tuple[Report, Answers]]:
    """Every demo: all at once, or one after the other where the cores are few and times matter."""
    if together:
        played = await asyncio.gather(*(play(name, seconds, programs) for name in STORIES))
        return dict(zip(STORIES, played, strict=True))
    return {name: await play(name, seconds, programs) for name in STORIES}
