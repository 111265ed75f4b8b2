"""Grafana dashboards: `sidecar dashboards -o DIR`.

Written with Grafana's own builders (grafana-foundation-sdk) as schema v1, which every Grafana from 10 on
loads from a file, a ConfigMap or a GrafanaDashboard object. The library is an extra of this package.
"""

import json
from collections.abc import Iterator
from typing import Any

from sidecar.errors import UsageError
from sidecar.generators.links import ON_CALL_UID, Links


def generate(links: Links | None = None) -> dict[str, str]:
    """File name → JSON text of every dashboard.

    Raises UsageError when grafana-foundation-sdk is not installed.
    """
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder

        from sidecar.generators.boards import on_call
    except ModuleNotFoundError as error:
        raise UsageError(
            "dashboards are written with grafana-foundation-sdk, which is not installed: "
            "pip install 'inference-sidecar[dashboards]'"
        ) from error
    board = on_call.build(links or Links()).build()
    plain = json.loads(json.dumps(board, cls=JSONEncoder))
    return {f"{ON_CALL_UID}.json": json.dumps(_finished(plain), indent=2, sort_keys=True) + "\n"}


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
