import aiohttp

from sidecar.demo.monitoring import Monitoring, _receive, _webhook


def alert(name: str, status: str = "firing") -> dict:
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "page"},
        "annotations": {"summary": f"{name} happens"},
    }


async def test_a_notification_becomes_a_page_for_each_alert_in_it():
    state = Monitoring()
    async with (
        _webhook(lambda body: _receive(state, body)) as url,
        aiohttp.ClientSession() as session,
        session.post(url, json={"alerts": [alert("A"), alert("B")]}) as response,
    ):
        assert response.status == 200

    assert [(page.alertname, page.severity, page.summary) for page in state.pages] == [
        ("A", "page", "A happens"),
        ("B", "page", "B happens"),
    ]


def test_what_is_over_is_not_a_page():
    state = Monitoring()
    _receive(state, {"alerts": [alert("A", "resolved")]})

    assert state.pages == []
    assert [page.alertname for page in state.resolved] == ["A"]


def test_a_notification_without_labels_is_taken_as_it_is():
    state = Monitoring()
    _receive(state, {"alerts": [{"status": "firing"}]})
    _receive(state, {})

    assert [page.alertname for page in state.pages] == [""]
