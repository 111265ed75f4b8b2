import io

import pytest
from rich.console import Console

from sidecar.demo import scenario
from sidecar.demo.director import Frame
from sidecar.demo.samples import Recent, parse
from sidecar.demo.summary import Finding
from sidecar.demo.traffic import Counts
from sidecar.demo.view import PlainView, render, worst_features


def metrics(scale: int) -> str:
    features = "".join(
        f'inference_feature_values_total{{feature="feature-{n}",state="valid"}} {70 * scale}\n'
        f'inference_feature_values_total{{feature="feature-{n}",state="null"}} {30 * scale * (n == 7)}\n'
        f'inference_drift_score{{kind="feature",name="feature-{n}",method="psi"}} {2.5 * (n == 3)}\n'
        f'inference_drift_active{{kind="feature",name="feature-{n}",level="ticket"}} {int(n == 3)}\n'
        for n in range(18)
    )
    return features + (
        f'inference_requests_total{{outcome="ok"}} {90 * scale}\n'
        f'inference_requests_total{{outcome="server_error"}} {10 * scale}\n'
        f'inference_request_duration_seconds_bucket{{le="0.01"}} {90 * scale}\n'
        f'inference_request_duration_seconds_bucket{{le="+Inf"}} {90 * scale}\n'
    )


def frame(elapsed: float = 14.0, empty: bool = False) -> Frame:
    scenes = scenario.script(60, incident=True)
    recent = Recent()
    recent.add(parse("" if empty else metrics(1), elapsed - 1))
    recent.add(parse("" if empty else metrics(2), elapsed))
    findings = [Finding("null_surge", 10.0, 11.0), Finding("shift"), Finding("slow_and_failing")]
    scene = scenario.scene_at(scenes, elapsed)
    return Frame(elapsed, 60, scenes, scene, recent, findings, [], Counts(), True)


def text_of(picture, width: int = 80) -> str:
    console = Console(width=width, height=24, file=io.StringIO(), record=True, force_terminal=True)
    console.print(picture)
    return console.export_text()


@pytest.mark.parametrize("lines", [[], ["x" * 200] * 40])
@pytest.mark.parametrize("elapsed", [1.0, 14.0, 25.0, 40.0, 59.0])
def test_the_picture_fits_a_terminal_of_80_by_24(lines, elapsed):
    drawn = text_of(render(frame(elapsed), lines)).rstrip("\n").split("\n")

    # One line is the cursor's.
    assert len(drawn) <= 23
    assert max(map(len, drawn)) <= 80


def test_the_picture_says_what_is_injected_and_what_was_seen():
    drawn = text_of(render(frame(), ["  seen after 1.0 s: it burns"]))

    assert "hue-mean turns null" in drawn
    assert "✔ null surge" in drawn
    assert "seen after 1.0 s" in drawn
    assert "100" in drawn and "10.0%" in drawn


def test_a_picture_of_nothing_yet_can_be_drawn():
    assert "requests/s" in text_of(render(frame(empty=True), []))


def test_features_that_drift_come_first_then_those_with_nulls():
    worst = worst_features(frame().recent.last(3))

    assert [row[0] for row in worst[:2]] == ["feature-3", "feature-7"]
    assert worst[0][2:] == (2.5, "ticket")
    assert worst[1][1] == pytest.approx(0.3)


def test_without_a_terminal_numbers_come_every_few_seconds_and_events_at_once():
    out = io.StringIO()
    view = PlainView(out)
    view.say("shift: begins")
    for elapsed in (13.0, 13.5, 14.0, 19.0):
        view.show(frame(elapsed))
    lines = out.getvalue().splitlines()

    assert lines[0] == "shift: begins"
    assert [line.split()[0] for line in lines[1:]] == ["0:13", "0:19"]
    assert "100 requests/s, 10.0% failing" in lines[1]
