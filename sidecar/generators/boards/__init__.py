"""Grafana dashboards: the panels, the rows, and the dashboards made of them. Needs the extra `dashboards`."""

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard

from sidecar.generators.links import Links


def all_boards() -> list[Callable[[Links], Dashboard]]:
    """How each dashboard is made."""
    # Not at the top: they import the panels of this package.
    from sidecar.generators.boards import cost, executive, fleet, llm, model, on_call, versions

    return [module.build for module in (fleet, on_call, model, executive, llm, versions, cost)]
