"""The committed dashboards as Grafana would ask for them: targets with their variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.generators.tools import ROOT

# What Grafana makes of a scrape each second: four scrapes, and one more as a margin.
RATE_INTERVAL = "5s"


@dataclass(frozen=True, slots=True)
class Question:
    """One query of a panel, or a mark on all of them; `instant` asks about a moment only."""

    board: str
    panel: str
    ref: str
    expr: str
    instant: bool

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.board} / {self.panel} / {self.ref}"


def load() -> dict[str, dict[str, Any]]:
    """uid → dashboard."""
    boards = [json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))]
    return {board["uid"]: board for board in boards}


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those with queries; rows have none."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def questions(board: Mapping[str, Any]) -> Iterator[Question]:
    """Every query there is, marks included."""
    for panel in panels(board):
        for target in panel["targets"]:
            instant = bool(target.get("instant"))
            yield Question(board["uid"], panel["title"], target["refId"], target["expr"], instant)
    for mark in board["annotations"]["list"]:
        yield Question(board["uid"], "marks", mark["name"], mark["expr"], False)


def filled(text: str, values: Mapping[str, str], seconds: float) -> str:
    """With the variables' values, and the intervals that Grafana would put in."""
    text = text.replace("$__rate_interval", RATE_INTERVAL).replace("$__range", f"{seconds:.0f}s")
    # A month looked at each minute is the demo looked at each second.
    text = text.replace("[30d:1m]", f"[{seconds:.0f}s:1s]")
    return re.sub(r"\$([a-z]+)", lambda match: values.get(match[1], match[0]), text)


def variables(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that are asked of Prometheus, in order: each may use the ones before it."""
    return [v for v in board["templating"]["list"] if v["type"] == "query"]
