"""What drift says, and above all what it does not say, on streams whose truth is known."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from sidecar.batch import Batch
from sidecar.monitors import drift_state
from sidecar.monitors.drift import MAX_MODELS, Drift
from sidecar.monitors.drift_judge import EVENT_BATCHES, Settings
from sidecar.monitors.drift_pace import OFFLINE, Pace
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import Reference
from sidecar.registry import Registry
from tests.monitors import drift_streams as streams
from tests.monitors.drift_streams import LOUD, Watch

IN_CONTROL = 10_000  # 156 micro-batches and a bit: well past burn-in
COLUMNS = 3


def in_control(seed: int = 1, **more: object) -> Watch:
    """A monitor that has seen ten thousand rows like its reference."""
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)), **more)  # type: ignore[arg-type]
    watch.monitor.fold(streams.batch(streams.draw("normal", IN_CONTROL, COLUMNS, seed)))
    assert watch.said == []
    return watch


def more_rows(rows: int, seed: int = 2) -> np.ndarray:
    return streams.draw("normal", rows, COLUMNS, seed)


def changed(watch: Watch, f0: np.ndarray, nulls: np.ndarray | None = None, seed: int = 2) -> None:
    """Rows in control but for f0."""
    watch.monitor.fold(streams.batch(more_rows(len(f0), seed), f0=streams.column("f0", f0, nulls)))


@pytest.mark.parametrize("kind", ["normal", "t3", "lognormal"])
def test_thirty_stationary_features_raise_nothing_in_200_000_rows(kind: str):
    watch = Watch(streams.reference(streams.draw(kind, 15_000, 30, 0)))
    for seed in range(1, 21):
        watch.monitor.fold(streams.batch(streams.draw(kind, 10_000, 30, seed)))

    assert [level for level in watch.levels() if level in LOUD] == []


@pytest.mark.parametrize("shift", [1.0, -1.0, 2.0])
def test_a_shift_of_a_deviation_is_raised_within_320_rows(shift: float):
    watch = in_control()
    changed(watch, more_rows(2_000)[:, 0] + shift)

    verdict = watch.first(*LOUD)
    assert verdict.row - IN_CONTROL < 320
    assert (verdict.kind, verdict.name, verdict.signal) == ("feature", "f0", "location")
    assert verdict.before == pytest.approx(0, abs=0.1)
    assert np.sign(verdict.score) == np.sign(shift)
    assert abs(verdict.since_row - IN_CONTROL) <= 128
    assert {v.name for v in watch.said} == {"f0"}


@pytest.mark.parametrize(
    ("shift", "within"), [(0.5, 900), (0.25, 2_000)], ids=["half a deviation", "a quarter"]
)
def test_a_smaller_shift_is_a_ticket_and_no_page(shift: float, within: int):
    watch = in_control()
    changed(watch, more_rows(3_000)[:, 0] + shift)

    assert watch.first(Level.TICKET).row - IN_CONTROL < within
    assert Level.PAGE not in watch.levels()


def test_a_shift_below_the_gate_is_at_most_an_event():
    watch = in_control()
    changed(watch, more_rows(20_000)[:, 0] + 0.05)

    assert not set(watch.levels()) & set(LOUD)


def test_twenty_percent_of_nulls_page_within_two_full_batches():
    watch = in_control()
    nulls = np.random.default_rng(3).random(2_000) < 0.2
    changed(watch, more_rows(2_000)[:, 0], nulls)

    verdict = watch.first(*LOUD)
    assert verdict.row < (IN_CONTROL // 64 + 3) * 64  # the batch in which they begin, and two more
    assert (verdict.level, verdict.signal, verdict.unit) == (Level.PAGE, "null", "share")


def test_one_percent_of_nulls_is_a_ticket():
    watch = in_control()
    nulls = np.random.default_rng(3).random(4_000) < 0.01
    changed(watch, more_rows(4_000)[:, 0], nulls)

    assert watch.first(*LOUD).level is Level.TICKET


def test_the_first_null_in_ten_thousand_rows_is_not_even_an_event():
    watch = in_control()
    nulls = np.zeros(5_000, dtype=bool)
    nulls[[500, 3_000]] = True
    changed(watch, more_rows(5_000)[:, 0], nulls)

    assert watch.said == []


@pytest.mark.parametrize("value", [0.0, 0.3, -2.5, 1000.0])
def test_a_constant_value_pages_within_three_batches(value: float):
    watch = in_control()
    changed(watch, np.full(1_000, value))

    assert watch.first(Level.PAGE).row - IN_CONTROL < 3 * 64


def test_another_unit_pages_within_three_batches():
    watch = in_control()
    changed(watch, more_rows(1_000)[:, 0] * 1000)

    assert watch.first(Level.PAGE).row - IN_CONTROL < 3 * 64


def test_a_feature_that_disappears_from_all_requests_is_a_null_surge():
    watch = in_control()
    rows = streams.batch(more_rows(1_000))
    watch.monitor.fold(
        Batch("m", "1", 1_000, 0.0, 0.0, {n: c for n, c in rows.features.items() if n != "f0"})
    )

    assert (watch.first(*LOUD).name, watch.first(*LOUD).signal) == ("f0", "null")


def test_a_feature_of_the_reference_that_never_came_is_no_drift():
    watch = Watch(streams.reference(streams.draw("normal", 15_000, 4, 0)))
    watch.monitor.fold(streams.batch(more_rows(20_000)))  # f3 is not in the traffic

    assert watch.said == []


def test_a_category_that_gains_ten_points_is_found_by_its_level():
    rng = np.random.default_rng(5)

    def regions(rows: int, north: float) -> list[str]:
        return rng.choice(["n", "s", "e"], rows, p=[north, 0.6 - north / 2, 0.4 - north / 2]).tolist()

    builder = ProfileBuilder()
    builder.add(15_000, {"region": regions(15_000, 0.3)})
    watch = Watch(builder.reference())
    for rows, north in ((10_000, 0.3), (3_000, 0.4)):
        watch.monitor.fold(
            Batch("m", "1", rows, 0.0, 0.0, {"region": streams.levels("region", regions(rows, north))})
        )

    verdict = watch.first(*LOUD)
    assert IN_CONTROL <= verdict.row < IN_CONTROL + 2_000
    assert verdict.signal.startswith("level ")


def test_a_new_category_is_found_as_other_levels():
    builder = ProfileBuilder()
    builder.add(10_000, {"region": ["n", "s"] * 5_000})
    watch = Watch(builder.reference())
    rng = np.random.default_rng(5)
    for rows, share in ((10_000, 0.0), (3_000, 0.03)):
        values = np.where(rng.random(rows) < share, "new", rng.choice(["n", "s"], rows)).tolist()
        watch.monitor.fold(Batch("m", "1", rows, 0.0, 0.0, {"region": streams.levels("region", values)}))

    assert watch.first(*LOUD).signal == "other levels"


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf"), 1e308])
def test_poison_in_the_stream_never_blinds_it(poison: float):
    watch = in_control()
    poisoned = more_rows(640)[:, 0]
    poisoned[100] = poison
    changed(watch, poisoned)
    assert not set(watch.levels()) & set(LOUD)

    changed(watch, more_rows(2_000, 7)[:, 0] + 1.0, seed=7)
    assert watch.first(*LOUD).signal == "location"


def test_one_huge_request_is_one_batch_and_raises_nothing():
    pace = Pace(rows=64, seconds=1.0)
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)), settings=Settings(pace=pace))
    rows, at = more_rows(20_000), 0.0
    for start in range(0, 20_000, 50):
        at += 1.0
        watch.monitor.fold(streams.batch(rows[start : start + 50], at))
        if start == 15_000:
            watch.monitor.fold(streams.batch(more_rows(5_000, 9) + 3.0, at))

    assert not set(watch.levels()) & set(LOUD)


def test_few_rows_are_judged_after_half_a_minute_by_the_tick():
    watch = Watch(
        streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)), settings=Settings(pace=Pace())
    )
    watch.monitor.fold(streams.batch(more_rows(20), at=100.0))
    watch.monitor.tick(129.0)
    assert watch.monitor.settling()["m"][0] == 0
    watch.monitor.tick(130.0)
    assert watch.monitor.settling()["m"][0] == 1


def test_rows_of_refused_requests_are_not_judged():
    watch = in_control()
    rows = streams.batch(more_rows(2_000) + 5.0)
    rows.trusted = False
    watch.monitor.fold(rows)

    assert watch.said == []


def test_a_verdict_holds_until_the_signal_is_back_and_then_ends():
    watch = in_control()
    changed(watch, more_rows(3_000)[:, 0] + 2.0)
    assert watch.registry.value("inference_drift_active", name="f0", level="page") == 1
    assert watch.registry.value("inference_drift_active", name="f0", level="ticket") == 0

    watch.monitor.fold(streams.batch(more_rows(2_000, 4)))
    assert watch.registry.value("inference_drift_active") == 0
    ended = [v.ended_row for v in watch.monitor.verdicts() if v.level is Level.PAGE]
    assert all(row is not None and row - IN_CONTROL - 3_000 < 1_200 for row in ended)


@pytest.mark.parametrize(("cooldown_rows", "tickets"), [(10_000, 1), (0, 2)])
def test_a_column_whose_ticket_ended_stays_silent_for_a_while(cooldown_rows: int, tickets: int):
    watch = in_control(settings=Settings(pace=OFFLINE, cooldown_rows=cooldown_rows))
    for seed in (10, 11):
        changed(watch, more_rows(3_000, seed)[:, 0] + 0.45, seed=seed)
        watch.monitor.fold(streams.batch(more_rows(3_000, seed + 10)))

    assert watch.registry.value("inference_drift_active") == 0
    assert len([v for v in watch.said if v.level is Level.TICKET and v.signal == "location"]) == tickets


def test_two_uncorrelated_features_make_a_page_together():
    watch = in_control()
    rows = more_rows(2_000)
    rows[:, :2] += 0.5
    watch.monitor.fold(streams.batch(rows))

    pages = [v for v in watch.said if v.level is Level.PAGE]
    assert {v.name for v in pages} == {"f0", "f1"}
    assert "corroborated by the feature f" in pages[0].why


def test_two_features_that_always_move_together_are_one_witness():
    def twins(rows: int, seed: int, shift: float = 0.0) -> np.ndarray:
        both = np.random.default_rng(seed).normal(shift, 1.0, (rows, 1))
        return np.hstack([both, both * 3 + 1])

    watch = Watch(streams.reference(twins(15_000, 0)))
    watch.monitor.fold(streams.batch(twins(IN_CONTROL, 1)))
    watch.monitor.fold(streams.batch(twins(2_000, 2, 0.5)))

    assert {v.name for v in watch.said if v.level is Level.TICKET} == {"f0", "f1"}
    assert Level.PAGE not in watch.levels()


def test_an_output_corroborates_a_feature():
    builder = ProfileBuilder()
    rows = streams.draw("normal", 15_000, 2, 0)
    builder.add(len(rows), {"f0": rows[:, 0]}, {"score": rows[:, 1]})
    watch = Watch(builder.reference())
    for count, shift in ((IN_CONTROL, 0.0), (2_000, 0.5)):
        rows = streams.draw("normal", count, 2, count) + shift
        features = {"f0": streams.column("f0", rows[:, 0])}
        outputs = {"score": streams.column("score", rows[:, 1])}
        watch.monitor.fold(Batch("m", "1", count, 0.0, 0.0, features, outputs))

    assert {v.kind for v in watch.said if v.level is Level.PAGE} == {"feature", "output"}


def test_the_operator_can_keep_every_page_a_ticket():
    watch = in_control(page=False)
    changed(watch, np.full(1_000, 0.0))

    assert Level.TICKET in watch.levels()
    assert Level.PAGE not in watch.levels()


def test_fallen_quality_makes_a_page_of_a_ticket_and_of_nothing_else():
    for fell in (True, False):
        watch = in_control()
        watch.monitor.quality_fell = lambda name, fell=fell: fell and name == "m"
        changed(watch, more_rows(3_000)[:, 0] + 0.5)
        pages = [verdict for verdict in watch.said if verdict.level is Level.PAGE]
        assert [page.why for page in pages] == (["corroborated by the quality, which fell"] if fell else [])

    watch = in_control()
    watch.monitor.quality_fell = lambda name: True
    watch.monitor.fold(streams.batch(more_rows(3_000)))
    assert watch.said == []

    kept_down = in_control(page=False)
    kept_down.monitor.quality_fell = lambda name: True
    changed(kept_down, more_rows(3_000)[:, 0] + 0.5)
    assert Level.PAGE not in kept_down.levels()


def test_a_difference_to_training_that_was_there_from_the_start_is_not_reported_for_ever():
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    watch.monitor.fold(streams.batch(more_rows(30_000) + 0.3))
    assert watch.said == []

    watch.monitor.fold(streams.batch(more_rows(2_000, 8) + 0.9))
    assert set(watch.levels()) & set(LOUD)


@pytest.mark.parametrize(("usual", "now"), [(0.1, 0.22), (0.03, 0.08), (0.1, 0.04)])
def test_nulls_that_were_always_there_are_normal_and_more_or_less_of_them_are_not(usual: float, now: float):
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    rng = np.random.default_rng(4)
    changed(watch, more_rows(IN_CONTROL)[:, 0], rng.random(IN_CONTROL) < usual)
    assert watch.said == []

    changed(watch, more_rows(4_000, 5)[:, 0], rng.random(4_000) < now, seed=5)
    found = watch.first(*LOUD)
    assert (found.name, found.signal) == ("f0", "null")
    assert found.row - IN_CONTROL < 1_500
    assert found.before == pytest.approx(usual, abs=0.01)


def test_a_category_unlike_its_reference_is_normal_and_a_further_change_is_found():
    builder = ProfileBuilder()
    builder.add(15_000, {"region": ["n", "s"] * 7_500})
    watch = Watch(builder.reference())
    rng = np.random.default_rng(5)
    for rows, unseen in ((IN_CONTROL, 0.08), (4_000, 0.16)):
        values = rng.choice(["n", "s", "x"], rows, p=[0.45, 0.55 - unseen, unseen]).tolist()
        watch.monitor.fold(Batch("m", "1", rows, 0.0, 0.0, {"region": streams.levels("region", values)}))
        if rows == IN_CONTROL:
            assert watch.said == []

    found = {v.signal for v in watch.said if v.level in LOUD and v.row - IN_CONTROL < 1_500}
    assert "other levels" in found


def test_large_batches_far_from_the_reference_still_hear_a_change():
    settings = Settings(pace=Pace(rows=5_000, seconds=0.0), burn_in=20)
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)), settings=settings)
    watch.monitor.fold(streams.batch(more_rows(125_000) + 0.5))
    assert not set(watch.levels()) & set(LOUD)

    watch.monitor.fold(streams.batch(more_rows(75_000, 6) + 0.8))
    assert Level.TICKET in watch.levels()


def test_a_break_during_burn_in_pages_and_does_not_become_the_norm():
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    watch.monitor.fold(streams.batch(more_rows(2_000)))
    changed(watch, np.full(20_000, 0.0))

    assert watch.first(Level.PAGE).row < 2_000 + 6 * 64
    assert watch.registry.value("inference_drift_active", name="f0", level="page") == 1


def test_a_break_of_a_deviation_during_burn_in_does_not_become_the_norm_either():
    watch = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    watch.monitor.fold(streams.batch(more_rows(1_000)))
    changed(watch, more_rows(20_000, 3)[:, 0] + 1.0, seed=3)

    assert watch.first(Level.PAGE).row < 1_000 + 6 * 64
    assert watch.registry.value("inference_drift_active", name="f0", level="page") == 1


def test_two_tickets_are_no_page_while_their_evidence_is_less_than_a_page_needs():
    said: list[Verdict] = []
    policies = Policies(default=ModelPolicy(drift_seconds_per_page=1e200))
    given = LearntReferences(default=streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    monitor = Drift(Registry(), given, policies, Settings(pace=OFFLINE), said.append)
    monitor.fold(streams.batch(more_rows(IN_CONTROL, 1)))
    rows = more_rows(3_000)
    rows[:, :2] += 0.5
    monitor.fold(streams.batch(rows))

    assert {v.name for v in said if v.level is Level.TICKET} >= {"f0", "f1"}
    assert Level.PAGE not in {v.level for v in said}


def test_two_tickets_long_after_each_other_are_two_stories():
    watch = in_control()
    changed(watch, more_rows(12_000)[:, 0] + 0.5)
    rows = more_rows(2_000, 3)
    rows[:, :2] += 0.5
    watch.monitor.fold(streams.batch(rows))

    assert {v.name for v in watch.said if v.level is Level.TICKET} == {"f0", "f1"}
    assert Level.PAGE not in watch.levels()


def test_an_event_waits_sixteen_batches_for_its_gate_and_no_longer():
    watch = in_control()
    judge = watch.monitor._models["m"].judge
    judge._pending[0] = judge.evidence.batches + EVENT_BATCHES
    watch.monitor.fold(streams.batch(more_rows(64 * (EVENT_BATCHES - 1), 3)))
    assert list(judge._pending) == [0]
    watch.monitor.fold(streams.batch(more_rows(64 * 3, 4)))
    assert list(judge._pending) == []


def test_every_column_of_a_configured_reference_has_its_series_before_any_traffic():
    registry = Registry()
    rows = streams.draw("normal", 1_000, 2, 0)
    given = {"m": streams.reference(rows)}
    Drift(registry, LearntReferences(given), Policies(models={"m": ModelPolicy()}))

    series = {f.metric.name: [labels for labels, _ in f.series] for f in registry.snapshot().families}
    assert ("m", "", "feature", "f1") in series["inference_drift_detections_total"]
    assert ("m", "", "feature", "f0", "page") in series["inference_drift_active"]
    assert {labels[-1] for labels in series["inference_drift_score"]} == {"psi", "js", "tv"}


def test_scores_say_how_far_recent_rows_are():
    watch = in_control()
    assert abs(watch.registry.value("inference_drift_score", name="f0", method="psi")) < 0.05

    changed(watch, more_rows(2_000)[:, 0] + 1.0)
    assert watch.registry.value("inference_drift_score", name="f0", method="psi") > 0.5
    assert 0 < watch.registry.value("inference_drift_score", name="f0", method="js") < np.log(2)
    assert watch.registry.value("inference_drift_detections_total", name="f0") >= 1


def test_a_new_reference_starts_afresh():
    references = LearntReferences()
    monitor = Drift(Registry(), references, Policies(), Settings(pace=OFFLINE))
    monitor.fold(streams.batch(more_rows(6_400)))
    assert monitor.settling() == {}

    references.fold(streams.batch(more_rows(6_400)))
    monitor.fold(streams.batch(more_rows(640)))
    assert monitor.settling() == {"m": (10, 80)}


def test_the_number_of_models_is_bounded_and_unused_ones_leave():
    registry = Registry()
    given: Reference = streams.reference(streams.draw("normal", 1_000, 1, 0))
    monitor = Drift(registry, LearntReferences(default=given), Policies())
    for i in range(3 * MAX_MODELS):
        rows = streams.batch(more_rows(10)[:, :1], at=50.0)
        rows.model = f"m{i}"
        monitor.fold(rows)
    assert len(monitor.settling()) == MAX_MODELS

    monitor.tick(50.0 + 25 * 3600)
    assert monitor.settling() == {}
    assert registry.value("inference_drift_detections_total") == 0


def labels(watch: Watch) -> set[str]:
    """The versions on the verdict's series."""
    families = {f.metric.name: f for f in watch.registry.snapshot().families}
    return {values[1] for values, _ in families["inference_drift_active"].series}


def of_version(version: str, at: float, seed: int = 2) -> Batch:
    rows = streams.batch(more_rows(64, seed), at=at)
    rows.version = version
    return rows


def test_series_say_which_version_answers_and_none_while_several_do():
    watch = in_control()
    assert labels(watch) == {"1"}
    watch.monitor.fold(of_version("2", at=10.0))
    assert labels(watch) == {""}
    watch.monitor.fold(of_version("2", at=3_700.0))
    assert labels(watch) == {"2"}
    assert watch.monitor.settling() == {"m": (80, 80)}  # and what was learnt goes on


def test_a_version_of_its_own_in_every_answer_is_no_new_series_each():
    watch = in_control()
    for i in range(50):
        watch.monitor.fold(of_version(f"v{i}", at=float(i)))
    assert labels(watch) == {""}


def test_the_version_survives_a_restart_and_a_quiet_night():
    watch = in_control()
    watch.monitor.tick(80_000.0)
    assert labels(watch) == {"1"}
    after = Watch(streams.reference(streams.draw("normal", 15_000, COLUMNS, 0)))
    saved = {name: drift_state.encoded(state) for name, state in watch.monitor.state().items()}
    after.monitor.restore(saved, lambda at: at, 5.0)
    assert labels(after) == {"1"}


def test_a_verdict_says_what_moved_how_far_since_when_and_how_sure():
    watch = in_control()
    changed(watch, more_rows(1_000)[:, 0] + 2.0)
    verdict = watch.first(Level.PAGE)
    held, before, now = verdict.shares[0]
    assert held.startswith("above ")
    assert (before, now > 0.3) == (pytest.approx(0.05, abs=0.01), True)
    assert verdict.evidence > 20
    line = verdict.line()
    assert line.startswith("drift page: model=m feature=f0 signal=location before=")
    assert f"since_row={verdict.since_row}" in line
    assert f"{held}: {before:.1%} -> {now:.1%}" in line
    json.dumps(asdict(verdict))


def test_the_share_table_names_categories_of_the_reference_only():
    builder = ProfileBuilder()
    builder.add(10_000, {"region": ["n", "s"] * 5_000})
    watch = Watch(builder.reference())
    rng = np.random.default_rng(5)
    for rows, share in ((10_000, 0.0), (1_000, 0.6)):
        values = np.where(rng.random(rows) < share, "secret", rng.choice(["n", "s"], rows)).tolist()
        watch.monitor.fold(Batch("m", "1", rows, 0.0, 0.0, {"region": streams.levels("region", values)}))
    shares = {held: now for held, _, now in watch.first(Level.PAGE).shares}
    assert set(shares) <= {"n", "s", "other", "null", "invalid"}
    assert shares["other"] > 0.3
