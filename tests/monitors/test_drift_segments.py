"""Drift within the values of segments: who is judged, what is told once, what it may cost."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import log

import numpy as np
import pytest

from sidecar.batch import Batch, Division
from sidecar.metric import OTHER
from sidecar.monitors import drift_segments, drift_state
from sidecar.monitors.drift_judge import TICKET_EVIDENCE, Allowed, Judge, MicroBatch, Settings
from sidecar.monitors.drift_pace import OFFLINE, Pace
from sidecar.monitors.drift_segments import MAX_VALUES, SegmentDrift
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.monitors.drift_within import LEARN_ROWS, Within
from sidecar.monitors.rows import Rows
from sidecar.monitors.segments import Segments
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.policy import ModelPolicy, Policies, Segment
from sidecar.registry import Registry
from tests.fakes import exchange, inference
from tests.monitors import drift_streams as streams
from tests.monitors.drift_streams import LOUD, Watch

ACTIVE, JUDGED = "inference_segment_drift_active", "inference_segment_drift_judged"
ROWS = "inference_segment_drift_rows_total"
COLUMNS = 3
TENANTS = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
# Learnt (1,024 rows), burnt in (5,120) and judged for a while, each of ten tenants.
BEFORE = 70_000
REFERENCE = streams.reference(streams.draw("normal", 15_000, COLUMNS, 0))


def divided(
    batch: Batch,
    of: np.ndarray,
    values: Sequence[str] = TENANTS,
    *,
    judged: bool = True,
    name: str = "tenant",
) -> Batch:
    """The batch, row i being of `values[of[i]]`."""
    batch.segments = (Division(name, values, of, judged),)
    return batch


class Tenants:
    """Rows of ten tenants, one after the other; each tenant's f1 has its own mean and deviation."""

    def __init__(self, watch: Watch, *, usual: bool = True) -> None:
        self.watch, self.rows = watch, 0
        self._random = np.random.default_rng(7)
        self._usual = usual

    def send(
        self, rows: int, shifts: Mapping[str, float] | float = 0.0, chunk: int = 5_000, nulls: str = ""
    ) -> None:
        """Rows whose f0 is moved by `shifts`, of one tenant or all; `nulls` sends none."""
        for first in range(0, rows, chunk):
            self._send(min(chunk, rows - first), shifts, nulls)

    def _send(self, rows: int, shifts: Mapping[str, float] | float, nulls: str) -> None:
        numbers = self._random.normal(size=(rows, COLUMNS))
        of = (np.arange(rows) + self.rows) % len(TENANTS)
        by = [shifts.get(t, 0.0) if isinstance(shifts, Mapping) else shifts for t in TENANTS]
        numbers[:, 0] += np.array(by)[of]
        if self._usual:
            numbers[:, 1] = numbers[:, 1] * (0.1 + of / 5) + of / 3 - 1.5
        gone = np.isin(of, [TENANTS.index(t) for t in nulls])
        batch = streams.batch(numbers, f0=streams.column("f0", numbers[:, 0], gone))
        batch.first, batch.last = self.rows / 100, (self.rows + rows - 1) / 100
        self.watch.monitor.fold(divided(batch, of))
        self.rows += rows


def settled(**more: object) -> Tenants:
    """Ten tenants that are judged, nothing having been said."""
    tenants = Tenants(Watch(REFERENCE, **more))  # type: ignore[arg-type]
    tenants.send(BEFORE)
    assert tenants.watch.said == []
    return tenants


def within(watch: Watch) -> list[Verdict]:
    """The tickets and pages about segments."""
    return [v for v in watch.said if v.segment and v.level in LOUD]


def of_the_whole(watch: Watch) -> list[Verdict]:
    """The tickets and pages about all rows."""
    return [v for v in watch.said if not v.segment and v.level in LOUD]


def test_a_tenant_that_moves_is_a_ticket_with_its_name_before_the_whole_says_anything():
    tenants = settled()
    tenants.send(3_000, {"d": 1.0})
    (verdict,) = {(v.segment, v.value, v.kind, v.name, v.signal): v for v in within(tenants.watch)}.values()
    assert (verdict.segment, verdict.value, verdict.kind, verdict.name) == ("tenant", "d", "feature", "f0")
    assert verdict.level is Level.TICKET
    assert "model=m segment=tenant value=d feature=f0" in verdict.line()
    assert verdict.row - BEFORE < 2_560  # of which a tenth are its own
    assert abs(verdict.since_row - BEFORE) <= 2 * 640
    assert of_the_whole(tenants.watch) == []
    series = {"segment": "tenant", "value": "d", "kind": "feature", "name": "f0", "state": "alone"}
    assert tenants.watch.registry.value(ACTIVE, **series) == 1
    assert tenants.watch.registry.value(ACTIVE) == 1


def test_even_a_severe_break_of_a_tenant_is_a_ticket():
    tenants = settled()
    tenants.send(5_000, {"d": 3.0})
    tenants.send(5_000, nulls="e")
    standing = [v for v in tenants.watch.monitor.verdicts() if v.segment and v.level is not Level.EVENT]
    assert {(v.value, v.level) for v in standing} == {("d", Level.TICKET), ("e", Level.TICKET)}
    assert Level.PAGE in tenants.watch.levels()  # by the whole, of which a tenth is null


def test_tenants_that_always_differed_from_each_other_are_no_drift():
    tenants = settled()  # f1 of tenant a is ten times as narrow, and 1.5 deviations lower
    tenants.send(120_000)
    assert tenants.watch.said == []
    tenants.watch.registry.snapshot()
    assert tenants.watch.registry.value(JUDGED) == len(TENANTS)


def test_what_divides_the_rows_may_be_one_of_their_features():
    watch = Watch(streams.reference(np.tile(np.arange(10.0), 1_500)[:, None]))
    for _ in range(30):
        of = np.arange(5_000) % 10
        watch.monitor.fold(divided(streams.batch(of[:, None].astype(float)), of))
    assert watch.said == []  # within a tenant it is stuck, and always was


def test_when_all_drift_the_whole_says_it_and_the_tenants_are_folded_into_it():
    tenants = settled()
    tenants.send(30_000, 0.5)
    assert {v.name for v in of_the_whole(tenants.watch)} == {"f0"}
    assert within(tenants.watch) == []
    shown = {"kind": "feature", "name": "f0"}
    assert tenants.watch.registry.value(ACTIVE, state="folded", **shown) == len(TENANTS)
    assert tenants.watch.registry.value(ACTIVE, state="alone") == 0
    assert {v.value for v in tenants.watch.monitor.verdicts() if v.folded} == set(TENANTS)


def test_what_is_folded_is_a_ticket_when_the_whole_has_been_back_for_a_while():
    tenants = settled()
    tenants.send(15_000, 0.5)
    assert within(tenants.watch) == []
    tenants.send(6_000, {"d": 0.5})  # the others are back
    assert within(tenants.watch) == []
    tenants.send(20_000, {"d": 0.5})
    assert {(v.value, v.name) for v in within(tenants.watch)} == {("d", "f0")}


def test_a_ticket_is_told_once_however_often_the_whole_comes_and_goes():
    tenants = settled()
    for _ in range(3):
        tenants.send(14_000, {"d": 1.0})
        tenants.send(4_000, dict.fromkeys(TENANTS, 1.0))
    assert [v.signal for v in within(tenants.watch) if v.signal == "location"] == ["location"]


def test_an_old_verdict_of_the_whole_about_another_column_hides_no_tenant():
    tenants = settled()
    numbers = np.random.default_rng(1).normal(size=(12_000, COLUMNS))
    numbers[:, 2] += 0.5
    of = np.arange(12_000) % len(TENANTS)
    for first in (0, 40_000):
        part = numbers.copy()
        if first:
            part[of == 3, 0] += 0.6  # a twentieth of a deviation of the whole
        part[:, 1] = part[:, 1] * (0.1 + of / 5) + of / 3 - 1.5
        batch = streams.batch(part, at=1_000.0 + first, until=1_119.0 + first)
        tenants.watch.monitor.fold(divided(batch, of))
    assert {v.name for v in of_the_whole(tenants.watch)} == {"f2"}
    assert {(v.value, v.name) for v in within(tenants.watch)} == {("d", "f0")}


def test_verdicts_do_not_depend_on_how_rows_are_portioned():
    def said(chunk: int) -> list[tuple[object, ...]]:
        tenants = Tenants(Watch(REFERENCE))
        tenants.send(70_000, chunk=chunk)
        tenants.send(9_600, {"d": 0.9, "e": -0.9}, chunk=chunk)
        tenants.send(9_600, 0.6, chunk=chunk)
        verdicts = sorted(tenants.watch.said, key=lambda v: (v.row, v.value, v.level, v.signal))
        return [(v.row, v.since_row, v.segment, v.value, v.level, v.name, v.signal) for v in verdicts]

    whole = said(9_600)
    assert {value for _, _, _, value, level, _, _ in whole if level in LOUD} >= {"", "d", "e"}
    assert said(320) == whole


def test_counting_one_tenants_batch_and_dividing_one_of_many_is_the_same():
    one, many = Watch(REFERENCE), Watch(REFERENCE)
    rows = streams.draw("normal", 20_000, COLUMNS, 3)
    rows[12_000:, 0] += 1.0
    other = streams.draw("normal", 20_000, COLUMNS, 4)
    for at in range(0, 20_000, 100):
        own, theirs = rows[at : at + 100], other[at : at + 100]
        for part, label in ((own, "a"), (theirs, "b")):
            one.monitor.fold(divided(streams.batch(part), np.zeros(100, np.intp), [label]))
        both = streams.batch(np.vstack([own, theirs]))
        many.monitor.fold(divided(both, np.repeat([0, 1], 100), ["a", "b"]))
    told = [[(v.value, v.name, v.signal) for v in watch.said if v.segment] for watch in (one, many)]
    assert told[0] == told[1]
    assert ("a", "f0", "location") in told[0]


def test_past_the_cap_values_are_not_judged_and_their_rows_are_counted():
    watch = Watch(REFERENCE)
    values = [f"t{i}" for i in range(MAX_VALUES + 5)]
    for seed in range(12):
        rows = streams.draw("normal", 5_000, COLUMNS, seed)
        watch.monitor.fold(divided(streams.batch(rows), np.arange(5_000) % len(values), values))
    watch.registry.snapshot()
    families = watch.registry.snapshot().families
    judged = next(f for f in families if f.metric.name == JUDGED).series
    assert len(list(judged)) == MAX_VALUES
    assert watch.registry.value(ROWS, state="unjudged") >= 5 * (
        60_000 / len(values) - LEARN_ROWS - 5_000 / 25
    )
    assert watch.registry.value(ROWS) == 60_000


def test_all_models_together_have_room_for_so_many_columns(monkeypatch):
    monkeypatch.setattr(drift_segments, "MAX_COLUMNS", 2 * COLUMNS)
    watch = Watch(REFERENCE)
    for seed in range(4):
        for model in ("m", "n"):
            batch = replace(streams.batch(streams.draw("normal", 5_000, COLUMNS, seed)), model=model)
            watch.monitor.fold(divided(batch, np.arange(5_000) % 3, "abc"))
    judged = [name for name in "mn" for _ in watch.monitor.state()[name]["segments"]]
    assert judged == ["m", "m"]


def test_values_that_only_begin_to_come_are_bounded_too(monkeypatch):
    monkeypatch.setattr(drift_segments, "MAX_LEARNING", 4 * COLUMNS)
    watch = Watch(REFERENCE)
    rows = streams.draw("normal", 100, COLUMNS, 1)
    watch.monitor.fold(divided(streams.batch(rows), np.arange(100) % 10))
    assert watch.registry.value(ROWS, state="learning") == 40
    assert watch.registry.value(ROWS, state="unjudged") == 60


@pytest.mark.parametrize("value", ["", OTHER])
def test_rows_without_a_value_of_their_own_are_not_judged_within_it(value):
    watch = Watch(REFERENCE)
    for seed in range(3):
        rows = streams.draw("normal", 5_000, COLUMNS, seed)
        watch.monitor.fold(divided(streams.batch(rows), np.zeros(5_000, np.intp), [value]))
    assert watch.registry.value(ROWS, state="unjudged") == 15_000
    assert watch.monitor.state()["m"]["segments"] == []


def test_a_segment_may_be_left_out():
    watch = Watch(REFERENCE)
    rows = streams.draw("normal", 5_000, COLUMNS, 1)
    watch.monitor.fold(divided(streams.batch(rows), np.zeros(5_000, np.intp), ["a"], judged=False))
    assert watch.registry.value(ROWS) == 0


def test_a_column_that_a_tenant_never_sent_may_begin_to_come():
    watch = Watch(REFERENCE)
    rows = streams.draw("normal", 40_000, COLUMNS, 1)
    of = np.arange(40_000) % 2
    rows[:20_000][of[:20_000] == 0, 2] = np.nan
    rows[20_000:][of[20_000:] == 0, 2] = 5.0
    for at in range(0, 40_000, 4_000):
        watch.monitor.fold(divided(streams.batch(rows[at : at + 4_000]), of[at : at + 4_000]))
    assert {v.value for v in watch.said if v.segment} == set()


def test_of_the_false_tickets_the_whole_has_half_and_the_tenants_the_other(monkeypatch):
    given: list[Allowed] = []
    take = Within.take

    def spy(self: Within, whole: object, allowed: Allowed, *rest: object) -> None:
        given.append(allowed)
        take(self, whole, allowed, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Within, "take", spy)
    watch = Watch(REFERENCE)
    monitor = watch.monitor
    assert monitor._segments.parts("m") == 1
    tenants = Tenants(watch)
    tenants.send(20_000)
    assert monitor._segments.parts("m") == 2
    last = given[-1]
    assert 1 / 2 + len(TENANTS) / last.parts == 1
    assert not last.page and not last.quality_fell
    assert last.seconds == len(TENANTS) * given[0].seconds


@pytest.mark.parametrize("parts", [1.0, 20.0, 1e6])
def test_a_part_of_the_budget_needs_more_evidence(parts):
    said: list[Verdict] = []
    judge = Judge("m", REFERENCE, Settings(pace=OFFLINE), said.append)
    for batch in range(300):
        rows = streams.draw("normal", 64, COLUMNS, batch)
        rows[:, 0] += 0.25 if batch >= 100 else 0.0
        counts = judge.layout.count(streams.batch(rows), [64])[0]
        judge.take(counts, MicroBatch(64, 64, batch, batch + 1.0), Allowed(parts=parts))
    first = next(v for v in said if v.why == "evidence of a small change")
    assert first.evidence >= TICKET_EVIDENCE + log(parts)
    assert first.evidence < TICKET_EVIDENCE + log(parts) + 10


def test_a_tenant_unused_for_a_day_leaves_its_place():
    tenants = settled()
    monitor = tenants.watch.monitor
    last = tenants.rows / 100
    monitor.tick(last + UNUSED_AFTER_SECONDS - 10)
    assert len(monitor.state()["m"]["segments"]) == len(TENANTS)
    rows = streams.draw("normal", 64, COLUMNS, 5)
    at = last + UNUSED_AFTER_SECONDS - 20
    monitor.fold(divided(streams.batch(rows, at), np.zeros(64, np.intp), ["a"]))
    monitor.tick(last + UNUSED_AFTER_SECONDS + 10)
    assert [each["key"] for each in monitor.state()["m"]["segments"]] == [("tenant", "a")]
    tenants.watch.registry.snapshot()
    assert tenants.watch.registry.value(JUDGED) == 1


def test_another_reference_begins_anew():
    tenants = settled()
    monitor = tenants.watch.monitor
    given = streams.reference(streams.draw("normal", 15_000, COLUMNS, 9))
    monkey = monitor._references
    monkey._default = given  # type: ignore[attr-defined]
    rows = streams.draw("normal", 64, COLUMNS, 5)
    monitor.fold(divided(streams.batch(rows), np.zeros(64, np.intp), ["a"]))
    assert monitor.state()["m"]["segments"] == []


@cache
def saved() -> str:
    """What ten settled tenants have on the disk."""
    state = settled().watch.monitor.state()
    return json.dumps({name: drift_state.encoded(each) for name, each in state.items()})


def restarted(tenants: Tenants, shift: float = 0.0) -> Watch:
    """Another monitor that goes on from what this one knows, as it would be on the disk."""
    document = {name: drift_state.encoded(each) for name, each in tenants.watch.monitor.state().items()}
    watch = Watch(REFERENCE)
    watch.monitor.restore(json.loads(json.dumps(document)), lambda at: at + shift, tenants.rows / 100 + shift)
    return watch


def test_tenants_are_judged_on_after_a_restart_and_what_stood_stands():
    tenants = settled()
    tenants.send(4_000, {"d": 1.0})
    watch = restarted(tenants)
    after = Tenants(watch)
    after.rows = tenants.rows
    after.send(1_280, {"d": 1.0})
    assert watch.registry.value(ACTIVE, value="d", name="f0", state="alone") == 1
    assert watch.registry.value(JUDGED) == len(TENANTS)
    after.send(2_560, {"d": 1.0, "e": -1.0})
    assert {v.value for v in within(watch)} == {"d", "e"}


def test_what_was_folded_is_after_a_restart():
    tenants = settled()
    tenants.send(15_000, 0.5)
    tenants.send(15_000, {"d": 0.5})  # the whole has been back for more than its cooldown
    watch = restarted(tenants)
    after = Tenants(watch)
    after.rows = tenants.rows
    after.send(2_000, {"d": 0.5})
    assert within(watch) == []


@pytest.mark.parametrize(
    "damage",
    [
        {"key": None}, {"key": ["tenant"]}, {"learnt": [1, 2]}, {"learnt": "x"}, {"learnt": [-1] * 66},
        {"arrays": {}}, {"rows": "x"}, {"standing": [[10**6, {}]]}, {"waits": None}, {"version": 0},
    ],
)  # fmt: skip
def test_a_tenant_whose_saved_state_is_damaged_is_learnt_anew(damage):
    document = json.loads(saved())
    document["m"]["segments"][0].update(damage)
    watch = Watch(REFERENCE)
    assert watch.monitor.restore(document, float, 800.0) == ["m"]
    keys = [key[1] for key in (each["key"] for each in watch.monitor.state()["m"]["segments"])]
    assert keys == list(TENANTS[1:])


@pytest.mark.parametrize("segments", [None, {}, "x", [None, 3]])
def test_saved_segments_that_are_none_cost_the_whole_nothing(segments):
    document = json.loads(saved())
    document["m"]["segments"] = segments
    watch = Watch(REFERENCE)
    assert watch.monitor.restore(document, float, 800.0) == ["m"]
    assert watch.monitor.state()["m"]["segments"] == []


def test_live_rows_of_a_header_are_judged_by_their_own_pace():
    """Through cleaning and naming, micro-batches of 16 rows where a tenant is slow."""
    policies = Policies(ModelPolicy(segments=(Segment("tenant", header="x-tenant", limit=2),)))
    settings = Settings(pace=Pace(rows=64, seconds=1.0, slow_rows=16, slow_seconds=30.0))
    watch = Watch(REFERENCE, settings=settings)
    segments = Segments(watch.registry, policies)
    rows = Rows([segments, watch.monitor], policies, watch.monitor._references, segments)
    random = np.random.default_rng(3)
    for second in range(2_400):
        for tenant, count in (("busy", 8), ("slow", 1), ("late", 1)):
            numbers = random.normal(size=(count, COLUMNS))
            if tenant == "busy" and second >= 1_500:
                numbers[:, 0] += 1.0
            said = inference(**{f"f{i}": numbers[:, i].tolist() for i in range(COLUMNS)})
            rows.observe(exchange(request_headers={"x-tenant": tenant}, at=float(second)), said)
        rows.tick(second + 0.5)
    told = {(v.segment, v.value, v.name) for v in within(watch)}
    assert told <= {("tenant", "busy", "f0")}
    assert {v.name for v in watch.said if v.level in LOUD and not v.segment} == {"f0"}
    watch.registry.snapshot()
    assert watch.registry.value(JUDGED, value="busy") == 1
    assert watch.registry.value(JUDGED, value="slow") == 0  # 2,400 rows: learnt, and burnt in for a part
    assert watch.registry.value(ROWS, state="unjudged") == 2_400  # the third tenant has no name
    assert watch.registry.value(ACTIVE, value="busy", name="f0") == 1


def test_series_have_the_version_that_answers():
    tenants = settled()
    tenants.send(4_000, {"d": 1.0})
    rows = streams.draw("normal", 64, COLUMNS, 5)
    batch = replace(streams.batch(rows, tenants.rows / 100), version="2")
    tenants.watch.monitor.fold(divided(batch, np.zeros(64, np.intp), ["a"]))
    families = {f.metric.name: dict(f.series) for f in tenants.watch.registry.snapshot().families}
    for name in (ACTIVE, JUDGED):
        assert {labels[1] for labels in families[name]} == {""}  # a rollout: both answer


def test_nothing_is_there_without_segments():
    watch = Watch(REFERENCE)
    watch.monitor.fold(streams.batch(streams.draw("normal", 5_000, COLUMNS, 1)))
    for name in (ACTIVE, JUDGED, ROWS):
        assert watch.registry.value(name) == 0
    drift = SegmentDrift(Registry(), Settings(pace=OFFLINE), watch.said.append)
    assert drift.verdicts("m") == [] and drift.state("m") == []
    drift.tick("m", watch.monitor._models["m"].judge, 0.0, Allowed())
