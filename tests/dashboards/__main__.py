"""Run the demos, ask every query, draw every dashboard: `python -m tests.dashboards DIRECTORY`."""

import argparse
import asyncio
import sys
from pathlib import Path

from sidecar.demo import monitoring
from tests.dashboards import drawing, playing, showing

# The demo whose story a dashboard is about; the others are drawn after the default one.
_OF = {"inference-llm": "llm", "inference-versions": "canary"}


def main() -> int:
    """Returns 1 if a query has no answer and no reason for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboards", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the pictures go")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each demo")
    parser.add_argument("--together", action="store_true", help="all demos at once")
    arguments = parser.parse_args()
    programs = monitoring.installed()
    if programs is None:
        print(monitoring.HOW_TO_INSTALL, file=sys.stderr)
        return 2
    played = asyncio.run(playing.play_all(arguments.seconds, programs, together=arguments.together))
    answers = {name: answer for name, (_, answer) in played.items()}
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for uid in next(iter(answers.values())).chosen:
        drawing.picture(uid, answers[_OF.get(uid, "default")], arguments.directory / f"{uid}.png")
    missing = showing.unanswered(answers.values())
    every = {question for answer in answers.values() for question in answer.results}
    print(
        f"{len(every) - len(missing)} of {len(every)} queries have an answer; pictures: {arguments.directory}"
    )
    for question in sorted(missing, key=lambda question: question.name):
        print(f"  {question.name}: {showing.NOTHING_TO_SHOW.get(question.name, 'NO ANSWER, AND NO REASON')}")
    return 1 if showing.unexplained(missing) or showing.errors(answers.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
