"""From a fault to a person: rule, Alertmanager, webhook."""

import aiohttp
import pytest

from sidecar.demo.faults import NO_DATA_FAULT, NO_SERVER_FAULT, DataFault, ServerFault
from sidecar.demo.stack import Stack
from tests.e2e.conftest import eventually, traffic_through

# An hour is ten seconds here; a page needs its long window, its wait and two scrapes at most.
PAGE_SECONDS = 40


async def alerts_in(url: str) -> set[tuple[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/alerts") as response:
        return {(a["labels"]["alertname"], a["labels"]["severity"]) for a in await response.json()}


async def rules_health(url: str) -> set[str]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/rules") as response:
        groups = (await response.json())["data"]["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}


@pytest.mark.parametrize(
    ("data", "server", "alertname"),
    [
        (DataFault("hue-mean", 0.3), NO_SERVER_FAULT, "InferenceFeatureAvailabilityBurn"),
        (NO_DATA_FAULT, ServerFault(error_ratio=0.3), "InferenceAvailabilityBurn"),
    ],
    ids=["null_surge", "5xx_burst"],
)
async def test_a_fault_becomes_an_alert_and_the_webhook_is_called(
    monitored_parts: Stack, data: DataFault, server: ServerFault, alertname: str
):
    pages = monitored_parts.monitoring.pages

    async def evaluated() -> bool:
        return await rules_health(monitored_parts.monitoring.prometheus_url) == {"ok"}

    async def page_received() -> bool:
        return (alertname, "page") in {(page.alertname, page.severity) for page in pages}

    async def alert_active() -> bool:
        return (alertname, "page") in await alerts_in(monitored_parts.monitoring.alertmanager_url)

    async def alert_over() -> bool:
        over = monitored_parts.monitoring.resolved
        return (alertname, "page") in {(page.alertname, page.severity) for page in over}

    async with traffic_through(monitored_parts) as traffic:
        await eventually(evaluated, "all rules evaluated without an error")
        assert pages == []
        traffic.fault = data
        await monitored_parts.model.inject(server)
        await eventually(page_received, f"{alertname} received by the webhook", PAGE_SECONDS)
        await eventually(alert_active, f"{alertname} shown by Alertmanager", PAGE_SECONDS)
        traffic.fault = NO_DATA_FAULT
        await monitored_parts.model.inject(NO_SERVER_FAULT)
        await eventually(alert_over, f"{alertname} resolved", PAGE_SECONDS)
