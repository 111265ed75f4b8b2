from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sidecar import catalog
from sidecar.admin.page import page
from sidecar.admin.status import status
from sidecar.registry import Registry
from tests.admin.test_status import incident
from tests.exporters.filled import filled_registry

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\n\u202e`${1}"
ALLOWED_TAGS = {
    "html", "head", "meta", "link", "title", "style", "body", "main", "header", "h1", "h2", "small", "span",
    "nav", "a", "ul", "li", "div", "b", "footer", "section", "table", "tr", "th", "td", "i", "bdi",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "style"}


class Reader(HTMLParser):
    """Collects what a browser would see; complains about tags that do not pair."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader._open == []
    return reader


def hostile_status() -> dict:
    snapshot = filled_registry(value=HOSTILE).snapshot()
    details = {
        "version": HOSTILE,
        "listen": HOSTILE,
        "upstream": HOSTILE,
        "verdicts": [{"text": HOSTILE, "level": HOSTILE, "time": HOSTILE}, {}],
        "problems": [{"model": HOSTILE, "feature": HOSTILE, "problem": HOSTILE, "text": HOSTILE}],
        "learning": {HOSTILE: {"rows": HOSTILE, "needed": HOSTILE}},
    }
    return status(replace(snapshot, taken=snapshot.started + 60), None, details)


def test_names_from_traffic_stay_text_wherever_they_are_shown():
    reader = read(page(hostile_status()))

    assert reader.tags <= ALLOWED_TAGS
    assert {name for name, _ in reader.attributes} <= ALLOWED_ATTRIBUTES
    assert "".join(reader.words).count("<script>alert(1)</script>") > 10
    assert not any("alert" in (value or "") for name, value in reader.attributes if name != "class")


def test_the_page_loads_nothing_from_anywhere():
    reader = read(page(incident()))

    links = {value for name, value in reader.attributes if name in ("href", "src")}
    assert links == {"data:,", "/metrics", "/api/v1/status"}
    assert "url(" not in page(incident()) and "@import" not in page(incident())


def test_the_page_says_what_is_wrong_with_which_feature():
    words = " ".join(read(page(incident())).words)

    assert "feature availability of churn v3" in words
    assert "null 700" in words
    assert "not_json · v2" in words


def test_the_title_tells_from_another_tab_that_something_is_bad():
    assert "<title>● inference-sidecar</title>" in page(incident())


@pytest.mark.parametrize("registry", [Registry(), filled_registry()])
def test_every_registry_has_a_page(registry):
    html = page(status(registry.snapshot(), None, {}))
    read(html)
    assert "inference-sidecar</title>" in html


def test_a_lone_surrogate_does_not_cost_the_page():
    registry = Registry()
    registry.counter(catalog.FEATURE_VALUES).add(1, "m", "1", "\ud800", "valid")

    assert page(status(registry.snapshot(), None, {})).encode("utf-8", "replace")


def test_a_drift_event_says_of_what():
    verdict = {"name": "age", "kind": "feature", "model": "churn", "text": "a severe break", "level": "page"}
    words = read(page(status(Registry().snapshot(), None, {"verdicts": [{**verdict, "time": 0.0}]}))).words
    row = " ".join(words[words.index("Recent drift events") :])
    assert "page age feature churn a severe break 00:00:00 UTC" in row


def test_a_verdict_within_a_segment_says_where():
    verdict = {"name": "age", "kind": "feature", "model": "churn", "text": "changed", "level": "ticket"}
    within = {**verdict, "segment": "tenant", "value": "<acme>", "time": 0.0}
    words = read(page(status(Registry().snapshot(), None, {"verdicts": [{**verdict, "time": 0.0}]}))).words
    assert "where" not in words
    shown = [within, {**within, "value": "blue", "folded": True}]
    words = read(page(status(Registry().snapshot(), None, {"verdicts": shown}))).words
    row = " ".join(words[words.index("Recent drift events") :])
    assert "ticket age feature churn tenant = <acme> changed 00:00:00 UTC" in row
    assert "tenant = blue, as the whole" in row


def test_one_failure_of_two_requests_is_shown_and_not_in_colour():
    registry = Registry(started=1_000.0)
    for code, outcome in (("200", "ok"), ("503", "server_error")):
        registry.counter(catalog.REQUESTS).add(1, "churn", "3", "v2", "predict", code, outcome)
    registry.gauge(catalog.SLO_OBJECTIVE).set(0.999, "churn", "3", "availability")
    for result in ("good", "bad"):
        registry.counter(catalog.SLO_EVENTS).add(1, "churn", "3", "availability", result)
    for state in ("valid", "null"):
        registry.counter(catalog.FEATURE_VALUES).add(1, "churn", "3", "age", state)
    shown = page(status(replace(registry.snapshot(), taken=1_060.0), None, {}))

    assert "50.0 %" in shown and "500.0×" in shown
    body = shown.partition("<body>")[2]
    assert 'class="bad"' not in body and 'class="warn"' not in body
