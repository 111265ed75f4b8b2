"""Labels and predictions: what matches, what does not, and what is said of it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import catalog
from sidecar.inference import ModelRef
from sidecar.monitors.labels.joining import Labels
from sidecar.monitors.labels.memory import Memory
from sidecar.monitors.labels.values import NOTHING, key_of, value_of
from sidecar.monitors.labels.waiting import Given
from sidecar.policy import ModelPolicy, Policies
from sidecar.registry import Registry
from sidecar.slo import Objective
from tests.fakes import exchange, inference

PROMISED = Policies(ModelPolicy(objectives=(Objective("quality", Decimal(90), tolerance=0.5),)))
NOTHING_SAID = Policies()
KNOWN = {"m": ModelRef("m", "1"), "n": ModelRef("n", "1")}
NOW = 1_000.0


class World:
    """A sidecar's labels; wall clock and monotonic time are the same here."""

    def __init__(self, policies=NOTHING_SAID, *, wait=60.0, remember=True, memory=1 << 20, keep=604_800.0):
        self.registry = Registry()
        self.labels = Labels(
            self.registry, policies, float, lambda name, version: KNOWN.get(name), Memory(memory, keep),
            wait=wait, remember=remember,
        )  # fmt: skip

    def predict(self, identity, *predictions, model="m", version="1", at=100.0, **more):
        said = inference(
            model=model, version=version, outputs={"y": list(predictions)}, x=[0] * len(predictions)
        )
        said.request_id = identity
        for key, value in more.items():
            setattr(said, key, value)
        self.labels.observe(exchange(at=at), said)

    def take(self, *given, now=NOW):
        return self.labels.take(given, now)

    def count(self, state, **match):
        return self.registry.value("inference_labels_total", state=state, **match)


def of(identity, label, at=0, **more):
    return Given(at, (value_of(label),), key_of(identity), **more)


def of_all(identity, *labels, **more):
    values = tuple(NOTHING if label is None else value_of(label) for label in labels)
    return Given(0, values, key_of(identity), all_rows=True, **more)


def whole(identity, prediction, label, model="m", **more):
    key = key_of(identity) if identity else None
    return Given(0, (value_of(label),), key, model=model, prediction=value_of(prediction), **more)


def test_a_label_matches_its_prediction_and_its_lag_is_told():
    world = World()
    world.predict("a", 1, at=100.0)
    assert world.take(of("a", 1), now=700.01).states == {"matched": 1}
    assert world.count("matched", model_name="m", model_version="1") == 1
    lag = world.registry.histogram(_metric("inference_label_lag_seconds")).values["m", "1"]
    assert lag.sum == pytest.approx(600.0)


def test_a_second_label_is_a_duplicate_and_changes_nothing():
    world = World(PROMISED)
    world.predict("a", 1)
    world.take(of("a", 1))
    taken = world.take(of("a", 0), of("a", 1))
    assert taken.states == {"duplicate": 2}
    assert world.registry.value("inference_slo_events_total", slo="quality", result="good") == 1
    assert world.registry.value("inference_slo_events_total", slo="quality", result="bad") == 0
    assert world.registry.value("inference_label_lag_seconds") == 1


def test_each_row_of_a_batch_has_its_label_by_its_number_or_all_at_once():
    world = World(PROMISED)
    world.predict("a", 1, 0, 1)
    assert world.take(of("a", 0, row=1), of_all("a", 1, 1, None)).states == {"matched": 2, "duplicate": 1}
    assert world.take(of("a", 0, row=2)).states == {"matched": 1}
    assert world.registry.value("inference_slo_events_total", slo="quality", result="good") == 2
    assert world.registry.value("inference_slo_events_total", slo="quality", result="bad") == 1


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (of("a", 1), "this prediction has 3 rows; give row, or labels for all of them"),
        (of("a", 1, row=3), "row 3 of a prediction of 3 rows; they are counted from 0"),
        (of_all("a", 1, 0), "2 labels for 3 rows; give one for each, null if not known"),
    ],
)
def test_a_label_that_does_not_fit_is_named_and_the_others_are_taken(label, sentence):
    world = World()
    world.predict("a", 1, 0, 1)
    world.predict("b", 1)
    taken = world.take(label, of("b", 1, at=1))
    assert taken.problems == [(0, sentence)]
    assert taken.states == {"matched": 1}


def test_a_label_that_overtakes_its_prediction_waits_for_it():
    world = World()
    taken = world.take(of("a", 1))
    assert (taken.waiting, taken.states.total()) == (1, 0)
    world.predict("a", 1, at=NOW)
    world.labels.tick(NOW + 1)
    assert world.count("matched") == 1


def test_a_label_whose_prediction_never_comes_is_unknown_after_its_wait():
    world = World(wait=60.0)
    world.take(of("a", 1))
    world.labels.tick(NOW + 59)
    assert world.registry.value("inference_labels_total") == 0
    world.labels.tick(NOW + 61)
    assert world.count("unknown", model_name="unknown", model_version="unknown") == 1


def test_an_unknown_label_makes_no_series_of_its_own():
    world = World(wait=0.0)
    for at in range(50):
        world.take(of(f"a{at}", 1, model=f"made-up-{at}"))
        world.take(whole("", 1, 1, model=f"made-up-{at}"))
    assert world.count("unknown", model_name="__other__") == 100
    assert set(world.registry.counter(_metric("inference_labels_total")).values) == {
        ("__other__", "__other__", "unknown")
    }


def test_predictions_that_leave_unlabelled_have_expired_where_labels_are_expected():
    for policies in (Policies(), PROMISED):
        world = World(policies, keep=100.0)
        world.predict("a", 1, 0, at=100.0)
        world.labels.tick(115.0)
        world.labels.tick(300.0)
        # Of a model that nobody labels nobody waits for labels.
        assert world.count("pending_expired") == (2 if policies is PROMISED else 0)
    world.predict("b", 1, at=300.0)
    world.take(of("b", 1), now=301.0)
    world.labels.tick(320.0)
    world.labels.tick(600.0)
    assert world.count("pending_expired") == 2


def test_what_has_no_room_leaves_first_come_first_gone_and_is_counted():
    world = World(PROMISED, memory=64 * 1024)
    for at in range(5_000):
        world.predict(f"a{at}", 1, at=100.0 + at)
    world.take()
    assert world.count("pending_expired") > 3_000
    assert world.take(of("a4999", 1)).states == {"matched": 1}
    assert world.take(of("a0", 1)).waiting == 1
    world.predict("huge", *([1] * 10_000))
    before = world.count("pending_expired")
    world.take()
    assert world.count("pending_expired") >= before


def test_an_id_that_different_predictions_share_names_none_of_them():
    world = World(wait=0.0)
    world.predict("1", 1)
    world.predict("1", 0)
    taken = world.take(of("1", 1))
    assert taken.states == {"unknown": 1}
    assert "several predictions have this id" in taken.problems[0][1]


def test_a_request_that_was_only_sent_again_has_one_label():
    world = World()
    world.predict("a", 1)
    world.predict("a", 1)
    assert world.take(of("a", 1), of("a", 1)).states == {"matched": 1, "duplicate": 1}


def test_an_id_that_went_to_two_models_needs_the_models_name():
    world = World(wait=0.0)
    world.predict("a", 1, model="m")
    world.predict("a", 1, model="n")
    assert world.take(of("a", 1)).problems
    assert world.take(of("a", 1, model="n")).states == {"matched": 1}
    assert world.count("matched", model_name="n") == 1
    assert world.take(of("a", 1, model="m", version="2")).states == {"unknown": 1}


@pytest.mark.parametrize(
    "left_out",
    [{"request_id": ""}, {"outputs": []}, {"decoupled": True}, {"rows": 7}, {"error": "boom"}],
)
def test_what_cannot_be_labelled_is_not_remembered(left_out):
    world = World()
    world.predict("a", 1, **left_out)
    world.take()
    assert world.registry.value("sidecar_labels_pending", kind="prediction") == 0


def test_a_label_that_brings_its_prediction_needs_no_memory():
    world = World(PROMISED, remember=False)
    world.predict("a", 1)
    assert world.take(whole("", 1, 1, time=NOW - 50), whole("", 0, 1)).states == {"matched": 2}
    assert world.registry.value("inference_slo_events_total", slo="quality", result="bad") == 1
    assert world.registry.value("sidecar_labels_pending") == 0
    assert world.registry.value("inference_label_lag_seconds") == 1  # only one said when it was made


def test_a_job_that_runs_twice_counts_once_when_its_labels_have_ids():
    world = World()
    job = [whole("a", 1, 1), whole("b", 1, 0), whole("c", 1, 1, row=0), whole("c", 1, 1, row=1)]
    assert world.take(*job).states == {"matched": 4}
    assert world.take(*job).states == {"duplicate": 4}
    assert world.take(whole("d", 1, 1), whole("d", 1, 1)).states == {"matched": 1, "duplicate": 1}


def test_a_prediction_that_was_seen_here_is_not_labelled_again_by_one_that_brings_it():
    world = World()
    world.predict("a", 1)
    assert world.take(whole("a", 1, 1), of("a", 1)).states == {"matched": 1, "duplicate": 1}


def test_figures_are_exported_when_there_are_enough_and_none_is_not_a_number():
    world = World()
    world.predict("a", *([1, 0] * 14 + [None]))
    world.take(of_all("a", *([1, 1] * 14 + [1])))
    assert list(world.registry.gauge(_metric("inference_quality_ratio")).values) == []
    assert world.registry.value("inference_quality_labels") == 29
    world.predict("b", 1)
    world.take(of("b", 1))
    # A prediction of null is wrong.
    assert world.registry.value("inference_quality_ratio", metric="accuracy") == pytest.approx(15 / 30)
    for family in ("inference_quality_ratio", "inference_quality_value"):
        assert all(value == value for value in world.registry.gauge(_metric(family)).values.values())


def test_figures_are_of_the_last_thousand():
    world = World()
    for part in range(4):
        world.predict(f"a{part}", *([1] * 500))
        world.take(of_all(f"a{part}", *([0 if part < 2 else 1] * 500)))
    assert world.registry.value("inference_quality_labels") == 1_000
    assert world.registry.value("inference_quality_ratio", metric="accuracy") == 1.0


def test_figures_leave_when_no_label_has_come_for_long():
    world = World()
    world.predict("a", *([1] * 40))
    world.take(of_all("a", *([1] * 40)))
    assert world.registry.value("inference_quality_ratio", metric="accuracy") == 1.0
    world.labels.tick(NOW + 7 * 86_400)
    assert world.registry.value("inference_quality_ratio", metric="accuracy") == 1.0
    world.labels.tick(NOW + 9 * 86_400)
    assert world.registry.gauge(_metric("inference_quality_ratio")).values == {}
    assert world.registry.gauge(_metric("inference_quality_labels")).values == {}


def test_numbers_are_right_within_their_tolerance():
    world = World(PROMISED)
    world.predict("a", *([10.25] * 40))
    world.take(of_all("a", *([10.5] * 30 + [12.0] * 10)))
    assert world.registry.value("inference_slo_events_total", slo="quality", result="good") == 30
    assert world.registry.value("inference_slo_events_total", slo="quality", result="bad") == 10
    assert world.registry.value("inference_quality_value", metric="mae") == pytest.approx(
        (30 * 0.25 + 17.5) / 40
    )


def test_without_the_objective_there_are_no_events():
    world = World()
    world.predict("a", 1)
    world.take(of("a", 1))
    assert world.registry.value("inference_slo_events_total", slo="quality") == 0


def test_fallen_quality_is_shown_and_known_to_whoever_asks():
    world = World()
    world.predict("good", *([1] * 800))
    world.take(of_all("good", *([1] * 800)))
    assert world.registry.value("inference_quality_degraded") == 0
    world.predict("bad", *([1] * 300))
    world.take(of_all("bad", *([0] * 300)))
    assert world.registry.value("inference_quality_degraded", model_name="m") == 1
    assert world.registry.value("inference_quality_drops_total") == 1
    assert world.labels.results.fallen("m")
    assert not world.labels.results.fallen("n")


def test_everything_goes_on_after_a_restart():
    world, after = World(PROMISED), World(PROMISED)
    world.predict("a", 1, 0)
    world.predict("b", *([1] * 40))
    world.take(of("a", 1, row=0), of_all("b", *([1] * 40)))
    after.labels.restore(world.labels.state())
    assert after.registry.value("inference_quality_ratio", metric="accuracy") == 1.0
    assert after.take(of("a", 1, row=0), of("a", 1, row=1)).states == {"duplicate": 1, "matched": 1}
    assert after.count("matched", model_name="m", model_version="1") == 1


def test_that_quality_fell_is_known_after_a_restart_and_said_once():
    world, after = World(PROMISED), World(PROMISED)
    world.predict("good", *([1] * 800))
    world.take(of_all("good", *([1] * 800)))
    world.predict("bad", *([1] * 300))
    world.take(of_all("bad", *([0] * 300)))
    said = []
    after.labels.results.on_change = lambda model, change: said.append(change)
    after.labels.restore(json.loads(json.dumps(world.labels.state(), default=lambda a: a.tolist())))

    assert after.registry.value("inference_quality_degraded", model_name="m") == 1
    assert after.labels.results.fallen("m")
    assert said == []
    after.predict("better", *([1] * 600))
    after.take(of_all("better", *([1] * 600)))
    assert [change.fell for change in said] == [False]
    assert not after.labels.results.fallen("m")
    assert after.registry.value("inference_quality_degraded", model_name="m") == 0


def test_a_state_that_says_nothing_of_falls_is_read():
    world, after = World(PROMISED), World(PROMISED)
    world.predict("a", *([1] * 40))
    world.take(of_all("a", *([1] * 40)))
    saved = world.labels.state()
    saved["results"]["windows"] = [entry[:4] for entry in saved["results"]["windows"]]
    after.labels.restore(saved)

    assert after.registry.value("inference_quality_ratio", metric="accuracy") == 1.0


ids = st.sampled_from(["a", "b", "c", ""])
labels = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=2))
steps = st.one_of(
    st.tuples(st.just("predict"), ids, st.lists(st.one_of(st.none(), labels), min_size=1, max_size=3)),
    st.tuples(st.just("label"), ids, labels, st.one_of(st.none(), st.integers(0, 3))),
    st.tuples(st.just("whole"), ids, labels, labels),
    st.tuples(st.just("tick"), st.floats(0, 200)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=20))
def test_whatever_comes_in_whatever_order_no_row_is_labelled_twice(story):
    world, rows, now = World(), 0, NOW
    for kind, *said in story:
        if kind == "predict":
            world.predict(said[0], *said[1], at=now)
            rows += len(said[1]) if said[0] else 0
        elif kind == "tick":
            now += said[0]
            world.labels.tick(now)
        elif value_of(said[1]) != NOTHING:
            if kind == "label":
                world.take(Given(0, (value_of(said[1]),), key_of(said[0]), said[2]), now=now)
            else:
                rows += 1
                world.take(whole(said[0], said[2], said[1]), now=now)
    assert world.count("matched") <= rows
    assert all(v == v for v in world.registry.gauge(_metric("inference_quality_ratio")).values.values())


def _metric(name):
    return catalog.BY_NAME[name]


def test_a_request_that_is_sent_again_after_its_label_is_not_labelled_twice():
    world = World()
    world.predict("a", 1)
    world.take(of("a", 1))
    world.predict("a", 1)
    assert world.take(of("a", 1)).states == {"duplicate": 1}


def test_none_of_a_request_that_was_sent_twice_expires_without_a_label_when_it_had_one():
    world = World(keep=1_000.0)
    world.predict("a", 1)
    world.predict("a", 1)
    assert world.take(of("a", 1)).states == {"matched": 1}
    for now in (NOW, NOW + 2_000, NOW + 4_000):
        world.labels.tick(now)
    assert world.count("pending_expired") == 0
