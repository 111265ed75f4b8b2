import aiohttp

from sidecar.demo.monitoring import Monitoring, _receive, _webhook


def notification(name: str, status: str = "firing", key: str = "") -> dict:
    return {
        "status": status,
        "groupKey": key or name,
        "groupLabels": {"alertname": name, "severity": "page"},
        "commonAnnotations": {"summary": f"{name} happens"},
        "alerts": [{"status": status}],
    }


def names(pages) -> list[str]:
    return [page.alertname for page in pages]


async def test_a_notification_sent_to_the_webhook_becomes_a_page():
    state = Monitoring()
    async with (
        _webhook(lambda body: _receive(state, body)) as url,
        aiohttp.ClientSession() as session,
        session.post(url, json=notification("A")) as response,
    ):
        assert response.status == 200

    [page] = state.pages
    assert (page.alertname, page.severity, page.summary) == ("A", "page", "A happens")


def test_a_notification_that_repeats_itself_is_one_page():
    state = Monitoring()
    for _ in range(3):
        _receive(state, notification("A"))
    _receive(state, notification("A", key="another model"))

    assert names(state.pages) == ["A", "A"]


def test_what_is_over_is_not_a_page_and_may_come_again():
    state = Monitoring()
    _receive(state, notification("A"))
    _receive(state, notification("A", "resolved"))
    _receive(state, notification("A"))

    assert names(state.pages) == ["A", "A"]
    assert names(state.resolved) == ["A"]


def test_a_notification_without_labels_is_taken_as_it_is():
    state = Monitoring()
    _receive(state, {"status": "firing"})
    _receive(state, {})

    assert names(state.pages) == [""]
