from sidecar.demo.detections import diverging, ending, failing, unusable
from sidecar.demo.samples import Recent, parse


def recent(before: str, after: str) -> Recent:
    """Two scrapes, a second apart."""
    scrapes = Recent()
    scrapes.add(parse(before, 0.0))
    scrapes.add(parse(after, 1.0))
    return scrapes


def requests(version: str, ok: int, bad: int) -> str:
    name = "inference_requests_total"
    return (
        f'{name}{{model_version="{version}",outcome="ok"}} {ok}\n'
        f'{name}{{model_version="{version}",outcome="server_error"}} {bad}\n'
    )


def classes(version: str, **counts: int) -> str:
    name = "inference_predictions_total"
    return "".join(
        f'{name}{{model_version="{version}",output="label",class="{value}"}} {count}\n'
        for value, count in counts.items()
    )


def scores(version: str, every: int, null: int) -> str:
    of = f'model_version="{version}",output="score"'
    return (
        f'inference_predictions_total{{{of},class=""}} {every}\n'
        f'inference_predictions_invalid_total{{{of},reason="null"}} {null}\n'
    )


def test_a_version_that_fails_is_told_from_one_that_does_not():
    scrapes = recent(requests("1", 0, 0) + requests("2", 0, 0), requests("1", 200, 0) + requests("2", 70, 30))

    assert failing("2")(scrapes) == "version 2: 30% of requests fail"
    assert failing("1")(scrapes) == ""
    assert failing()(scrapes) == "10% of requests fail"


def test_a_few_requests_say_nothing():
    scrapes = recent(requests("2", 0, 0), requests("2", 5, 5))

    assert failing("2")(scrapes) == ""


def test_answers_that_end_badly_are_seen_and_others_are_not():
    name = "inference_generation_ends_total"
    before = f'{name}{{reason="stop"}} 0\n{name}{{reason="truncated"}} 0\n'
    after = f'{name}{{reason="stop"}} 80\n{name}{{reason="truncated"}} 20\n'

    assert ending("truncated")(recent(before, after)) == "20% of answers end as truncated"
    assert ending("error")(recent(before, after)) == ""


def test_scores_that_cannot_be_used_are_those_of_their_version():
    scrapes = recent(scores("1", 0, 0) + scores("2", 0, 0), scores("1", 100, 0) + scores("2", 100, 30))

    assert unusable("2")(scrapes) == "version 2: 30% of scores cannot be used"
    assert unusable("1")(scrapes) == ""


def test_two_versions_that_predict_alike_do_not_diverge_and_others_do():
    none = classes("1", sky=0, path=0) + classes("2", sky=0, path=0)
    alike = classes("1", sky=100, path=100) + classes("2", sky=30, path=33)
    apart = classes("1", sky=100, path=100) + classes("2", sky=60, path=3)
    detection = diverging("2", "1", "label")

    assert detection(recent(none, alike)) == ""
    assert detection(recent(none, apart)) == "version 2: label is 0.45 from version 1"
    assert detection(recent(none, classes("1", sky=100, path=100) + classes("2", sky=5, path=0))) == ""
