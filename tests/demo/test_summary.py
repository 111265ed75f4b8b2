import json

import pytest

from sidecar.demo.summary import Accounts, Finding, Page, Report, as_json, as_text, problems


def report(**changes) -> Report:
    """All went well: one phase seen, one page, every request accounted for."""
    fields = {
        "findings": [Finding("shift", 100.0, 103.25)],
        "pages": [Page("InferenceDrift", "page", 104.0)],
        "accounts": Accounts(10, {"http_503": 2}, observed=10, answered_by_model=8, injected=2),
        "prometheus": True,
    }
    return Report(**(fields | changes))


def test_the_summary_has_exactly_the_promised_shape():
    assert json.loads(json.dumps(as_json(report()))) == {
        "phases": [{"name": "shift", "injected_at": 100.0, "detected_at": 103.25, "delay_s": 3.25}],
        "alerts": [{"alertname": "InferenceDrift", "severity": "page", "received_at": 104.0}],
        "requests": {"sent": 10, "failed": 2, "observed": 10},
        "prometheus": True,
    }


def test_when_all_went_as_promised_there_is_no_problem():
    assert problems(report()) == []


def test_a_phase_that_nobody_saw_is_a_problem():
    unseen = report(findings=[Finding("shift", 100.0)])

    assert problems(unseen) == ["shift was not detected"]
    assert as_json(unseen)["phases"][0]["delay_s"] is None


def test_an_alarm_before_anything_was_injected_is_a_problem():
    alarmed = report(false_alarms=[Finding("shift", None, 90.0, "x drifts")])

    assert problems(alarmed) == ["nothing was injected, yet: x drifts"]
    assert as_json(alarmed)["phases"][-1]["detected_at"] == 90.0


def test_prometheus_without_a_single_page_is_a_problem():
    assert "no alert" in problems(report(pages=[]))[0]
    assert problems(report(pages=[], prometheus=False)) == []


def test_without_an_incident_a_page_is_a_problem():
    quiet = {"incident": False, "findings": [], "accounts": Accounts(10, {}, 10, 10, 0)}

    assert problems(report(**quiet, pages=[])) == []
    assert "InferenceDrift was received" in problems(report(**quiet))[0]


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        (Accounts(10, {}, observed=9, answered_by_model=10), "observed 9"),
        (Accounts(10, {}, observed=11, answered_by_model=10), "observed 11"),
        (Accounts(10, {}, observed=10, answered_by_model=9), "9 reached the model"),
        (Accounts(10, {"timeout": 1}, observed=10, answered_by_model=10), "1 requests failed (timeout)"),
        (Accounts(10, {"http_502": 1}, observed=10, answered_by_model=10), "failed (http_502)"),
        (Accounts(10, {"http_503": 1}, observed=10, answered_by_model=10), "but 1 were seen to fail"),
        (Accounts(10, {}, observed=10, answered_by_model=8, injected=2), "but 0 were seen to fail"),
    ],
)
def test_a_request_that_cannot_be_accounted_for_is_a_problem(accounts, sentence):
    assert any(sentence in problem for problem in problems(report(accounts=accounts)))


def test_a_page_is_told_without_its_model():
    page = Page("InferenceDrift", "page", 0.0, "image-segments: the feature x has drifted")

    assert page.headline == "InferenceDrift: the feature x has drifted"
    assert Page("A", "page", 0.0).headline == "A"


def test_the_text_names_every_phase_and_every_page():
    text = "\n".join(
        as_text(report(findings=[Finding("shift", 1.0, 2.0, "x drifts"), Finding("null_surge", 1.0)]))
    )

    assert "shift" in text and "x drifts" in text
    assert "null surge" in text and "not seen" in text
    assert "InferenceDrift" in text
