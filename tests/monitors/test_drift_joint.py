"""Joint drift: said when columns stop going together, not when one of them moves, and never for ever."""

import json

import numpy as np
import pytest

from sidecar.batch import Batch
from sidecar.monitors import drift_state
from sidecar.monitors.drift_joint import MAX_COLUMNS, OUTPUT_COLUMNS, SAMPLE_ROWS
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_verdict import Level
from tests.monitors import drift_streams as streams
from tests.monitors.drift_streams import LOUD, Watch

IN_CONTROL = 9_984  # 156 micro-batches
COLUMNS = 6
ACTIVE = "inference_drift_active"


def together(rows: int, seed: int, r: float = 0.9) -> np.ndarray:
    """Six columns, of which f1 follows f0 and f3 f2."""
    found = np.random.default_rng(seed).normal(size=(rows, COLUMNS))
    for one, other in ((0, 1), (2, 3)):
        found[:, other] = r * found[:, one] + np.sqrt(1 - r * r) * found[:, other]
    return found


def apart(rows: np.ndarray, *columns: int) -> np.ndarray:
    for at in columns:
        rows[:, at] = np.random.default_rng(at).permutation(rows[:, at])
    return rows


def in_control(**more: object) -> Watch:
    watch = Watch(streams.reference(together(15_000, 0)), **more)  # type: ignore[arg-type]
    watch.monitor.fold(streams.batch(together(IN_CONTROL, 1)))
    assert watch.said == []
    return watch


def active(watch: Watch) -> list[tuple[str, ...]]:
    """The labels of every series of the verdicts' metric."""
    (family,) = [f for f in watch.registry.snapshot().families if f.metric.name == ACTIVE]
    return [labels for labels, _ in family.series]


def test_a_pair_that_comes_apart_is_one_ticket_that_names_it():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(6_400, 2), 1)))

    assert watch.levels() == [Level.EVENT, Level.TICKET]
    ticket = watch.first(Level.TICKET)
    assert (ticket.kind, ticket.name, ticket.signal, ticket.unit) == ("joint", "correlation", "f0 × f1", "r")
    assert ticket.row - IN_CONTROL < 256
    assert ticket.before == pytest.approx(0.89, abs=0.03)
    assert ticket.after == pytest.approx(0, abs=0.25)
    assert ticket.since_row == pytest.approx(IN_CONTROL, abs=64)
    assert ticket.evidence > 11.5
    assert "joint=correlation signal=f0 × f1" in ticket.line()


def test_a_flipped_sign_is_found():
    watch = in_control()
    rows = together(640, 2)
    rows[:, 1] *= -1
    watch.monitor.fold(streams.batch(rows))

    assert watch.first(*LOUD).after < -0.8


def test_a_column_that_comes_from_the_row_before_is_found():
    watch = in_control()
    rows = together(640, 2)
    rows[:, 3] = np.roll(rows[:, 3], 1)
    watch.monitor.fold(streams.batch(rows))

    assert watch.first(*LOUD).signal == "f2 × f3"


def test_several_pairs_are_one_verdict_whose_words_name_them():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1, 3)))

    (ticket,) = [v for v in watch.said if v.level is Level.TICKET]
    assert ticket.signal in ("f0 × f1", "f2 × f3")
    assert all(pair in f"{ticket.signal} {ticket.why}" for pair in ("f0 × f1", "f2 × f3"))


def test_it_is_never_a_page_and_the_metric_holds_no_pair():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(64_000, 2), 0, 1, 2, 3)))

    watch.registry.snapshot()
    assert Level.PAGE not in watch.levels()
    assert watch.registry.value(ACTIVE, kind="joint", name="correlation", level="ticket") == 1
    assert watch.registry.value(ACTIVE, kind="joint", level="page") == 0
    assert watch.registry.value("inference_drift_detections_total", kind="joint", name="correlation") == 1
    assert not any("×" in value for labels in active(watch) for value in labels)


def test_series_exist_at_zero_before_anything_happened():
    watch = Watch(streams.reference(together(15_000, 0)))
    watch.monitor.fold(streams.batch(together(64, 1)))
    labels = [labels[3:] for labels in active(watch) if labels[2] == "joint"]

    assert sorted(labels) == [("correlation", "page"), ("correlation", "ticket")]


@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 0.5, lambda x: x + 2, lambda x: x * 2, lambda x: x * 0.5, lambda x: x * 1000,
        lambda x: x * 0, lambda x: np.where(np.arange(len(x)) % 4 == 0, -999.0, x),
        lambda x: np.where(np.arange(len(x)) % 2, 0.0, x),
    ],
    ids=["+.5", "+2", "x2", "x.5", "x1000", "constant", "a quarter at -999", "half at the mean"],
)  # fmt: skip
def test_what_one_column_does_alone_is_not_joint(change, seed: int):
    watch = in_control()
    rows = together(6_400, seed)
    rows[:, 1] = change(rows[:, 1])
    watch.monitor.fold(streams.batch(rows))

    assert {v.kind for v in watch.said if v.level in LOUD} == {"feature"}


def test_nulls_of_one_column_are_not_joint():
    watch = in_control()
    rows = together(6_400, 2)
    nulls = np.random.default_rng(9).random(6_400) < 0.3
    watch.monitor.fold(streams.batch(rows, f1=streams.column("f1", rows[:, 1], nulls)))

    assert {v.kind for v in watch.said if v.level in LOUD} == {"feature"}


def test_a_verdict_about_a_pair_is_over_when_one_of_it_moves():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1)))
    ticket = watch.first(Level.TICKET)
    assert ticket.standing
    rows = apart(together(640, 3), 1)
    rows[:, 1] += 1
    watch.monitor.fold(streams.batch(rows))

    assert not ticket.standing
    assert {v.kind for v in watch.said if v.standing} == {"feature"}


def test_it_is_over_when_they_go_together_again_and_then_silent_for_a_while():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1)))
    ticket, rows = watch.first(Level.TICKET), together(6_400, 3)
    for at in range(0, 6_400, 64):
        watch.monitor.fold(streams.batch(rows[at : at + 64]))
        if ticket.ended_row == watch.monitor._models["m"].judge.rows - 1:
            assert watch.monitor._models["m"].joint.pairs.evidence() < 9  # nothing is left of what was bet
    assert ticket.ended_row is not None
    assert ticket.ended_row - ticket.row < 2_000

    watch.monitor.fold(streams.batch(apart(together(640, 4), 1)))
    assert watch.levels().count(Level.TICKET) == 1  # cooling down
    watch.monitor.fold(streams.batch(together(10_240, 5)))
    watch.monitor.fold(streams.batch(apart(together(640, 6), 1)))
    assert watch.levels().count(Level.TICKET) == 2


def test_what_comes_apart_during_burn_in_is_learnt():
    watch = Watch(streams.reference(together(15_000, 0)))
    watch.monitor.fold(streams.batch(apart(together(20_000, 1), 1)))

    assert watch.said == []


def test_portions_change_nothing_offline():
    whole, parts = in_control(), in_control()
    rows = apart(together(2_000, 2), 1)
    whole.monitor.fold(streams.batch(rows))
    for at in range(0, 2_000, 77):
        parts.monitor.fold(streams.batch(rows[at : at + 77]))

    said = [[(v.row, v.level, v.signal, v.after) for v in watch.said] for watch in (whole, parts)]
    assert said[0] == said[1] != []


def test_a_category_takes_part_by_its_most_frequent_level():
    rng = np.random.default_rng(0)

    def levels(numbers: np.ndarray) -> list[str]:
        return np.where(numbers > 0, "big", np.where(numbers > -1, "middle", "small")).tolist()

    builder = streams.ProfileBuilder()
    given = rng.normal(size=15_000)
    builder.add(15_000, {"x": given, "size": levels(given)})
    watch = Watch(builder.reference())

    def batch(rows: int, seed: int, *, apart: bool) -> Batch:
        x, other = np.random.default_rng(seed).normal(size=(2, rows))
        features = {
            "x": streams.column("x", x),
            "size": streams.levels("size", levels(other if apart else x)),
        }
        return Batch("m", "1", rows, 0.0, 0.0, features)

    watch.monitor.fold(batch(IN_CONTROL, 1, apart=False))
    assert watch.said == []
    watch.monitor.fold(batch(640, 2, apart=True))
    assert watch.first(*LOUD).signal == "x × size"


def test_outputs_take_part_and_those_of_fewer_rows_are_unknown():
    rows = together(15_000, 0)
    builder = streams.ProfileBuilder()
    builder.add(15_000, {"f0": rows[:, 0]}, {"y": rows[:, 1]})
    watch = Watch(builder.reference())

    def batch(rows: np.ndarray, fewer: int = 0) -> Batch:
        outputs = {"y": streams.column("y", rows[fewer:, 1])}
        return Batch("m", "1", len(rows), 0.0, 0.0, {"f0": streams.column("f0", rows[:, 0])}, outputs)

    watch.monitor.fold(batch(together(IN_CONTROL, 1)))
    for seed in range(10):  # out of step, but nobody knows by which rows
        watch.monitor.fold(batch(together(640, seed), fewer=1))
    assert watch.said == []
    watch.monitor.fold(batch(apart(together(640, 2), 1)))
    assert watch.first(*LOUD).signal == "f0 × y"


def test_wide_models_are_judged_on_their_first_columns_and_some_outputs():
    names = [f"f{i}" for i in range(100)]
    rows = np.random.default_rng(0).normal(size=(2_000, 120))
    builder = streams.ProfileBuilder()
    builder.add(
        2_000, {n: rows[:, i] for i, n in enumerate(names)}, {f"y{i}": rows[:, 100 + i] for i in range(20)}
    )
    watch = Watch(builder.reference())
    watch.monitor.fold(Batch("m", "1", 1, 0.0, 0.0, {"f0": streams.column("f0", rows[:1, 0])}))
    joint = watch.monitor._models["m"].joint

    kinds = [joint._judge.layout.columns[at].kind for at in joint._columns]
    assert len(kinds) == MAX_COLUMNS
    assert kinds.count("output") == OUTPUT_COLUMNS
    assert sum(value.nbytes for value in joint.pairs.state().values()) < 1_100_000


def test_live_a_second_of_many_rows_is_sampled_evenly():
    watch = in_control(settings=Settings())  # a micro-batch lasts a second
    rows = together(5_000, 2)
    watch.monitor.fold(streams.batch(rows, at=1.0, until=1.5))
    joint = watch.monitor._models["m"].joint

    assert 0.9 * SAMPLE_ROWS < joint._rows <= SAMPLE_ROWS
    assert joint._sample[: joint._rows].shape == (joint._rows, COLUMNS)


def test_one_odd_client_is_believed_later_than_many():
    def rows_to_ticket(requests: int) -> int:
        watch = in_control()
        rows = apart(together(1_280, 2), 1)
        for at in range(0, 1_280, 64):
            batch = streams.batch(rows[at : at + 64])
            batch.requests = requests
            watch.monitor.fold(batch)
        return watch.first(*LOUD).row - IN_CONTROL

    assert rows_to_ticket(64) < rows_to_ticket(1)


def test_rows_that_are_all_the_same_say_nothing():
    watch = in_control()
    for seed in range(30):
        watch.monitor.fold(streams.batch(np.repeat(together(1, seed), 64, axis=0)))

    assert "joint" not in {v.kind for v in watch.said}


def test_it_goes_on_after_a_restart():
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1)))
    saved = json.loads(json.dumps({"m": drift_state.encoded(watch.monitor.state()["m"])}))
    other = Watch(streams.reference(together(15_000, 0)))

    assert other.monitor.restore(saved, lambda at: at, 0.0) == ["m"]
    (ticket,) = [v for v in other.monitor.verdicts() if v.standing]
    assert ticket == watch.first(Level.TICKET)
    rows = together(6_400, 3)
    for each in (watch, other):
        each.monitor.fold(streams.batch(rows.copy()))
    ended = [
        [v.ended_row for v in each.monitor.verdicts() if v.level is Level.TICKET] for each in (watch, other)
    ]
    assert ended[0] == ended[1] != [None]


@pytest.mark.parametrize("spoil", ["pairs", "standing", "waits", "arrays", None])
def test_a_joint_state_that_is_not_ours_is_learnt_anew_and_drift_goes_on(spoil: str | None):
    watch = in_control()
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1)))
    saved = json.loads(json.dumps({"m": drift_state.encoded(watch.monitor.state()["m"])}))
    if spoil is None:
        del saved["m"]["joint"]  # written before there was one
    elif spoil == "pairs":
        saved["m"]["joint"]["waits"][2] = [9_999]
    else:
        saved["m"]["joint"][spoil] = {"nonsense": 1}
    other = Watch(streams.reference(together(15_000, 0)))

    assert other.monitor.restore(saved, lambda at: at, 0.0) == ["m"]
    assert other.monitor._models["m"].joint.standing is None
    other.monitor.fold(streams.batch(together(640, 3)))


def test_since_when_a_verdict_stands_is_exported_while_it_does():
    since = "inference_drift_active_since_timestamp_seconds"
    watch = in_control(settings=Settings(pace=streams.OFFLINE, wall=lambda at: 1e9 + at))
    watch.registry.snapshot()
    assert watch.registry.value(since) == 0
    watch.monitor.fold(streams.batch(apart(together(640, 2), 1), at=500.0, until=600.0))
    watch.registry.snapshot()
    assert watch.registry.value(since, kind="joint", name="correlation") == pytest.approx(1e9 + 500, abs=12)
    began = watch.registry.value(since, kind="joint")
    watch.monitor.fold(streams.batch(apart(together(640, 3), 1), at=600.0, until=700.0))
    watch.registry.snapshot()
    assert watch.registry.value(since, kind="joint") == began
    watch.monitor.fold(streams.batch(together(6_400, 4), at=700.0, until=1000.0))
    watch.registry.snapshot()
    assert watch.registry.value(since) == 0
