"""Grafana dashboards: `sidecar dashboards -o DIR`.

Written with Grafana's own builders (grafana-foundation-sdk) as schema v1, which every Grafana from 10 on
loads from a file, a ConfigMap or a GrafanaDashboard object. The library is an extra of this package.
"""

import json
from collections.abc import Iterator
from typing import Any

from sidecar.errors import UsageError
from sidecar.generators.links import Links


def generate(links: Links | None = None) -> dict[str, str]:
    """File name → JSON text of every dashboard.

    Raises UsageError when grafana-foundation-sdk is not installed.
    """
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder

        from sidecar.generators.boards import all_boards
    except ModuleNotFoundError as error:
        raise UsageError(
            "dashboards are written with grafana-foundation-sdk, which is not installed: "
            "pip install 'inference-sidecar[dashboards]'"
        ) from error
    where = links or Links()
    boards = [json.loads(json.dumps(build(where).build(), cls=JSONEncoder)) for build in all_boards()]
    return {
        f"{board['uid']}.json": json.dumps(_finished(board), indent=2, sort_keys=True) + "\n"
        for board in boards
    }


def _finished(board: dict[str, Any]) -> dict[str, Any]:
    """What the builders leave out or get wrong: panel ids, and links hidden in a menu."""
    for number, panel in enumerate(board["panels"], start=1):
        panel["id"] = number
    for item in [*board["links"], *board["annotations"]["list"], *_panel_links(board)]:
        item.pop("placement", None)
    return board


def _panel_links(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield from panel.get("links", ())
