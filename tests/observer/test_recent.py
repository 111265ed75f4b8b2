"""The last exchanges, as they were read: names and counts, never a value."""

import json

from rich.console import Console

from sidecar import decoders
from sidecar.exchange import Timings
from sidecar.explain.table import show
from sidecar.inference import Column, Inference
from sidecar.observer.attribution import Attribution
from sidecar.observer.observer import Observer
from sidecar.observer.recent import KEPT, OTHERS_KEPT, Recent
from sidecar.policy import Policies
from sidecar.registry import Registry
from tests.decoders.reading import V1, decode, posted
from tests.fakes import exchange


def remembered(request, answer=b"", target=V1, **more):
    recent, seen = Recent(), posted(target, request, answer, **more)
    recent.add(seen, decode(seen))
    [said] = recent.all()
    return said


def test_an_exchange_is_told_by_head_names_and_counts():
    said = remembered({"instances": [{"age": 41}, {"age": 28}]}, {"predictions": [0.5, 0.7]})
    assert (said["id"], said["method"], said["target"], said["status"]) == (1, "POST", V1, 200)
    assert (said["protocol"], said["rows"]) == ("v1", 2)
    assert (said["features"], said["outputs"], said["advice"]) == (["age"], ["prediction"], [])


def test_no_value_of_a_payload_and_no_query_is_kept():
    canary = "c4n4ry"
    target = f"/score?token={canary}"
    body = {"age": canary, "deep": {"x": canary}, "list": [canary]}
    said = remembered(body, {"prediction": canary, "error": canary}, target, status=200)
    assert canary not in json.dumps(said)
    assert canary not in json.dumps(remembered(canary.encode(), canary.encode(), target))


def after(seconds, request=b'{"instances": [1]}', answer=b'{"predictions": [1]}'):
    seen = posted(V1, request, answer)
    seen.timings = Timings(seconds, seconds, seconds, seconds)
    return seen


def test_when_thousands_come_a_second_some_are_left_out_but_none_that_failed():
    recent = Recent()
    for number in range(1_000):
        seen = after(1 + number / 1_000)
        recent.add(seen, decode(seen))
    assert 90 <= len(recent.all()) <= KEPT
    broken = after(2.0, b"{", b"{")
    recent.add(broken, decode(broken))
    recent.add(broken, decode(broken))
    assert [said["undecoded"] for said in recent.all()[-2:]] == ["not_json", "not_json"]


def test_only_the_last_are_kept_and_probes_do_not_push_them_out():
    recent = Recent()
    for number in range(KEPT + 20):
        seen = after(number)
        recent.add(seen, decode(seen))
    for _ in range(OTHERS_KEPT + 20):
        recent.add_other(exchange(method="GET", target="/health"), "probe")
    said = recent.all()
    assert [entry["inference"] for entry in said].count(True) == KEPT
    assert len(said) == KEPT + OTHERS_KEPT
    assert said[-1]["kind"] == "probe" and said == sorted(said, key=lambda entry: entry["id"])


def test_one_is_found_by_its_id_while_it_is_remembered():
    recent = Recent()
    for number in range(KEPT + 1):
        seen = after(number)
        recent.add(seen, decode(seen))
    assert recent.one(1) is None
    assert recent.one(2) == recent.all()[0]


def test_a_wide_or_long_schema_is_cut():
    recent = Recent()
    columns = [Column("n" * 100_000 + str(i), [1]) for i in range(1_000)]
    recent.add(exchange(target="/x" * 50_000), Inference("json", rows=1, features=columns))
    text = json.dumps(recent.all())
    assert len(text) < 5_000 and "and 980 more" in text


def test_what_is_not_inference_is_told_with_its_kind_and_advice():
    recent = Recent()
    recent.add_other(exchange(method="POST", target="/x?secret=1"), decoders.other_kind("POST", "/x"))
    [said] = recent.all()
    assert (said["inference"], said["kind"], said["target"]) == (False, "other", "/x")
    assert "payload.paths" in said["advice"][0]


def test_a_model_that_was_inferred_is_not_said_to_be_of_the_traffic(capsys):
    observer = Observer(Registry(), Attribution(Policies()))
    named, nameless = b'{"model": "m", "instances": [1]}', b'{"instances": [1]}'
    for at, (path, body) in enumerate([("/v1/models/m:predict", named), ("/invocations", nameless)]):
        observer.observe(posted(path, body, b'{"predictions": [1]}', at=1.0 + at))
    models = [said["model"] for said in observer.recent.all()]
    assert models[0] == {"name": "m", "version": "unknown", "name_from": "traffic", "version_from": None}
    assert models[1] == {"name": "m", "version": "unknown", "name_from": "route", "version_from": None}
    show(Console(), 1, observer.recent.all()[1])
    text = "m (inferred: the only one that this route answered with in the last hour), version unknown\n"
    assert text in capsys.readouterr().out
