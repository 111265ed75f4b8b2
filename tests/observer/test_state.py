"""An observer goes on from what the one before it knew; what is broken or full never stops it."""

import errno
import itertools
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from sidecar import catalog, clock
from sidecar.batch import Batch, CleanColumn
from sidecar.config import load
from sidecar.exchange import Exchange
from sidecar.observer.pipeline import Pipeline
from sidecar.observer.state import COUNTERS, LABELS, MONITORS, State
from sidecar.profiles import state_file
from sidecar.reference import ColumnType
from tests.fakes import exchange, inference

ANSWER = b'{"model_name": "m", "model_version": "1", "outputs": []}'


class Observer:
    """A pipeline and its state in one directory, without sockets."""

    def __init__(self, directory: Path | None, **flags: str) -> None:
        self.pipeline = Pipeline(load(None, {}, flags))
        self.registry = self.pipeline.registry
        self.state = State(str(directory) if directory else None, self.pipeline)
        self.state.restore()

    def sees(self, requests: int) -> "Observer":
        for _ in range(requests):
            self.pipeline.observer.observe(exchange(b"{}", ANSWER))
        return self

    def learns(self, rows: int = 6_000, seed: int = 1) -> "Observer":
        rng = np.random.default_rng(seed)
        for _ in range(0, rows, 500):
            states = np.zeros(500, np.uint8)
            column = CleanColumn("x", ColumnType.NUMBER, states, numbers=rng.normal(size=500))
            batch = Batch("m", "1", 500, 0.0, 0.0, {"x": column})
            self.pipeline.drift.fold(batch)
            self.pipeline.references.fold(batch)
        return self

    async def shows(self) -> None:
        """Is scraped."""
        await self.state.keep(self.registry.snapshot())

    async def saves(self) -> None:
        await self.state.save(self.registry.snapshot())

    async def leaves(self) -> None:
        await self.state.close(self.registry.snapshot(), 5.0)

    def killed(self) -> None:
        """What the kernel does to a dead process: nothing is written, locks are released."""
        if self.state._directory is not None:
            self.state._directory.close()

    @property
    def requests(self) -> float:
        return self.registry.value("inference_requests_total", outcome="ok")

    def failures(self, reason: str) -> float:
        return self.registry.value("sidecar_state_save_failures_total", reason=reason)


async def test_a_killed_observer_goes_on_from_what_it_has_shown(tmp_path):
    before = Observer(tmp_path).sees(7)
    await before.shows()
    before.sees(3)  # nobody has seen these
    before.killed()
    after = Observer(tmp_path).sees(1)
    assert after.requests == 8
    assert after.registry.started == before.registry.started


async def test_restored_models_have_their_information_and_todays_objectives_at_once(tmp_path):
    before = Observer(tmp_path).sees(7)
    await before.shows()
    before.killed()
    after = Observer(tmp_path, **{"slos.availability.objective": "99"})
    assert after.registry.value("inference_model_info", model_name="m", model_version="1") == 1
    assert after.registry.value("inference_slo_objective_ratio", slo="availability") == pytest.approx(0.99)
    assert after.registry.value("inference_slo_events_total", slo="availability", result="good") == 7


async def test_an_observer_that_leaves_loses_nothing(tmp_path):
    before = Observer(tmp_path).sees(7)
    await before.leaves()
    before.killed()
    assert Observer(tmp_path).requests == 7


async def test_a_learnt_reference_and_its_drift_evidence_survive(tmp_path):
    before = Observer(tmp_path).learns(9_000)
    await before.saves()
    before.killed()
    after = Observer(tmp_path)
    learnt = before.pipeline.references.of("m")
    assert after.pipeline.references.of("m") == learnt
    assert after.pipeline.references.status()["m"].source == "learnt"
    assert after.pipeline.drift.settling() == before.pipeline.drift.settling()


async def test_a_reference_given_since_wins_and_the_old_bins_are_not_taken_back(tmp_path):
    before = Observer(tmp_path).learns()
    learnt = before.pipeline.references.of("m")
    before.registry.counter(catalog.DISTRIBUTION_ROWS).add(5, "m", "1", "feature", "x", "all", "gone")
    before.registry.counter(catalog.DISTRIBUTION_ROWS).add(5, "m", "1", "feature", "x", "all", "grid1")
    before.registry.counter(catalog.DISTRIBUTION_ROWS).add(5, "m", "1", "feature", "x", "all", learnt.profile)
    await before.leaves()
    before.killed()
    after = Observer(tmp_path)
    assert after.registry.value("inference_distribution_rows_total", profile="gone") == 0
    assert after.registry.value("inference_distribution_rows_total", profile="grid1") == 5
    assert after.registry.value("inference_distribution_rows_total", profile=learnt.profile) == 5


async def test_after_the_machine_went_down_counters_start_again_but_what_was_learnt_does_not(
    tmp_path, monkeypatch
):
    before = Observer(tmp_path).sees(7).learns()
    await before.saves()
    before.killed()
    monkeypatch.setattr("sidecar.observer.state._boot_id", lambda: "another")
    after = Observer(tmp_path)
    assert after.requests == 0
    assert after.pipeline.references.of("m") is not None


async def test_in_order_counters_go_on_on_another_machine(tmp_path, monkeypatch):
    before = Observer(tmp_path).sees(7)
    await before.leaves()
    before.killed()
    monkeypatch.setattr("sidecar.observer.state._boot_id", lambda: "another")
    assert Observer(tmp_path).requests == 7


@pytest.mark.parametrize("name", [COUNTERS, MONITORS])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda whole: whole[: len(whole) // 2], "corrupt"),
        (lambda whole: b"", "corrupt"),
        (lambda whole: whole.replace(b'"sha256":"', b'"sha256":"0', 1), "corrupt"),
        (lambda whole: whole.replace(b"/v1", b"/v0", 1), "outdated"),
        (lambda whole: state_file.dump(json.loads(whole.split(b"\n")[0])["schema"], [1]), "corrupt"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_used_is_set_aside_counted_and_traffic_goes_on(
    tmp_path, name, content, reason
):
    before = Observer(tmp_path).sees(7).learns()
    await before.leaves()
    before.killed()
    (tmp_path / name).write_bytes(content((tmp_path / name).read_bytes()))
    after = Observer(tmp_path).sees(1)

    assert after.failures(reason) == 1
    assert (tmp_path / f"{name}.bad").exists()
    assert not (tmp_path / name).exists()
    # The other file is as good as it was.
    assert after.requests == (1 if name == COUNTERS else 8)
    await after.shows()
    after.killed()
    assert Observer(tmp_path).requests == after.requests


async def test_monitors_cut_at_any_of_many_bytes_never_raise(tmp_path):
    before = Observer(tmp_path).learns()
    await before.leaves()
    before.killed()
    whole = (tmp_path / MONITORS).read_bytes()
    for at in range(0, len(whole), max(len(whole) // 40, 1)):
        (tmp_path / MONITORS).write_bytes(whole[:at])
        after = Observer(tmp_path)
        assert after.failures("corrupt") == 1
        after.killed()


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "disk_full"), (errno.EROFS, "read_only"), (errno.EACCES, "permission")],
)
async def test_what_cannot_be_written_is_counted_and_stale_counters_are_not_left_behind(
    tmp_path, monkeypatch, number, reason
):
    before = Observer(tmp_path).sees(7).learns()
    await before.saves()
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", raising(OSError(number, os.strerror(number))))
        await before.sees(3).saves()
    assert before.failures(reason) == 2
    before.killed()
    after = Observer(tmp_path)
    # From 7, Prometheus would count 7 once more; from 0 it takes the reset for what it is.
    assert after.requests == 0
    # What was learnt is not worse for being a minute old.
    assert after.pipeline.references.of("m") is not None


async def test_it_is_saved_again_once_it_can_be(tmp_path, monkeypatch):
    before = Observer(tmp_path).sees(7)
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", raising(OSError(errno.ENOSPC, "full")))
        await before.shows()
    await before.shows()
    before.killed()
    assert Observer(tmp_path).requests == 7


async def test_a_directory_that_cannot_be_made_is_counted(tmp_path):
    (tmp_path / "file").write_text("")
    observer = Observer(tmp_path / "file" / "state").sees(2)
    await observer.shows()
    await observer.saves()
    await observer.leaves()
    assert observer.failures("other") >= 3
    assert observer.requests == 2


async def test_two_observers_do_not_share_a_directory(tmp_path):
    one = Observer(tmp_path).sees(7)
    other = Observer(tmp_path).sees(1)
    await other.shows()
    await one.shows()
    assert other.failures("in_use") == 2
    one.killed()
    assert Observer(tmp_path).requests == 7


async def test_a_slow_disk_holds_up_no_scrape(tmp_path, monkeypatch):
    let_go = threading.Event()
    monkeypatch.setattr("sidecar.observer.state.KEEP_SECONDS", 0.01)
    observer = Observer(tmp_path).sees(7)
    write = state_file.Directory.write
    monkeypatch.setattr(
        state_file.Directory, "write", lambda *args, **more: (let_go.wait(30), write(*args, **more))
    )
    await observer.shows()
    assert observer.failures("slow") == 1
    let_go.set()
    await observer.leaves()
    observer.killed()
    assert Observer(tmp_path).requests == 7


async def test_a_disk_that_is_slow_at_times_is_logged_once_and_counted_each_time(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("sidecar.observer.state.KEEP_SECONDS", 0.0)
    observer = Observer(tmp_path).sees(7)
    for _ in range(3):
        await observer.shows()
        await observer.saves()
    assert observer.failures("slow") == 3
    assert [record.message.split(":")[0] for record in caplog.records if record.levelname == "ERROR"] == [
        "state"
    ]
    assert "saved again" not in caplog.text
    await observer.leaves()


def test_why_nothing_can_be_kept_is_said_in_words(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    Observer(tmp_path / "file" / "state")
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.message == (
        f"state: it cannot be saved (other): not a directory: {tmp_path}/file/state; traffic goes on"
    )


async def test_without_a_directory_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    observer = Observer(None).sees(1)
    await observer.shows()
    await observer.saves()
    await observer.leaves()
    assert os.listdir(tmp_path) == []


def raising(error: Exception):
    def fail(*args: object, **more: object) -> None:
        raise error

    return fail


MOMENTS = itertools.count(100.0)


def asked(body: dict) -> Exchange:
    """A request a second after the last one and the answer to it, as many scores as rows."""
    rows = body["inputs"][0]["shape"][0]
    scores = {"name": "y", "shape": [rows], "datatype": "FP64", "data": [0.5] * rows}
    answer = {"model_name": "m", "model_version": "1", "outputs": [scores]}
    return exchange(json.dumps(body).encode(), json.dumps(answer).encode(), at=next(MOMENTS))


async def test_what_is_being_learnt_goes_on_after_each_restart_until_it_is_a_reference(tmp_path):
    """A pod that restarts every 1,000 rows, killed each time without a last save."""
    rng = np.random.default_rng(4)
    for day in range(5):
        observer = Observer(tmp_path)
        seen = observer.pipeline.references.status()
        assert (seen["m"].rows_seen if day else 0) == day * 1_000
        for _ in range(500):
            numbers = ", ".join(f"{x:.4f}" for x in rng.normal(size=2))
            body = f'{{"inputs": [{{"name": "x", "shape": [2], "datatype": "FP64", "data": [{numbers}]}}]}}'
            observer.pipeline.observer.observe(asked(json.loads(body)))
        await observer.saves()
        observer.killed()
    after = Observer(tmp_path).pipeline.references
    assert (after.of("m").rows, after.status()["m"].source) == (5_000, "learnt")


async def test_a_first_row_without_a_value_does_not_undo_what_was_learnt(tmp_path):
    observer = Observer(tmp_path)
    for value in [*range(300), None]:
        body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [value]}]}
        if value is None:
            await observer.saves()
            observer.killed()
            observer = Observer(tmp_path)
        observer.pipeline.observer.observe(asked(body))
    observer.pipeline.rows.flush()
    [state] = [s for _, name, s in observer.pipeline.references.learning()["m"]["columns"] if name == "x"]
    assert (state["type"], state["rows"], state["_numbers"]) == ("number", 301, 300)


def broken(observer: Observer, value: object, times: int = 200) -> None:
    for _ in range(times):
        data = json.dumps([value] * 2)
        body = f'{{"inputs": [{{"name": "x", "shape": [2], "datatype": "FP64", "data": {data}}}]}}'
        observer.pipeline.observer.observe(asked(json.loads(body)))
    observer.pipeline.rows.flush()


async def test_a_problem_stands_over_a_restart_and_ends_when_it_is_over(tmp_path, caplog):
    before = Observer(tmp_path)
    broken(before, 1.5, 600)
    broken(before, None)
    [stood] = list(before.pipeline.problems.standing())
    await before.saves()
    before.killed()
    caplog.clear()
    after = Observer(tmp_path)
    [stands] = list(after.pipeline.problems.standing())
    assert (stands.feature, stands.problem, stands.text) == ("x", "null_surge", stood.text)
    assert stands.since == pytest.approx(stood.since, abs=1)
    problem = {"feature": "x", "problem": "null_surge"}
    assert after.registry.value("inference_feature_problem", **problem) == 1
    assert "begins" not in caplog.text
    # What is usual is known, so nulls that go on are neither news nor the norm.
    broken(after, None, 1_000)
    assert [p.problem for p in after.pipeline.problems.standing()] == ["null_surge"]
    broken(after, 1.5, 1_000)
    assert list(after.pipeline.problems.standing()) == []
    assert after.registry.value("inference_feature_problem", **problem) == 0


async def test_files_are_for_the_sidecars_own_user_alone(tmp_path):
    before = Observer(tmp_path / "state").sees(1).learns(500)
    await before.saves()
    assert {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "state").iterdir()} == {
        COUNTERS: 0o600, MONITORS: 0o600, "lock": 0o600,
    }  # fmt: skip


@pytest.mark.parametrize("key", ["learning", "quality", "problems"])
@pytest.mark.parametrize("value", [[1], {"m": 1}, {"m": {"rows": "x", "columns": []}}, "x", [{"model": 1}]])
async def test_a_part_that_is_not_ours_is_set_aside_and_traffic_goes_on(tmp_path, key, value):
    before = Observer(tmp_path).learns(1_000)
    await before.saves()
    before.killed()
    document = json.loads((tmp_path / MONITORS).read_bytes().split(b"\n", 1)[1])
    document[key] = value
    (tmp_path / MONITORS).write_bytes(state_file.dump("inference-sidecar/monitors/v1", document))
    after = Observer(tmp_path).sees(1)
    assert (after.requests, after.failures("corrupt")) == (1, 1)
    assert (tmp_path / f"{MONITORS}.bad").exists()


async def test_a_file_of_a_version_that_kept_less_is_read(tmp_path):
    before = Observer(tmp_path).learns()
    await before.saves()
    before.killed()
    document = json.loads((tmp_path / MONITORS).read_bytes().split(b"\n", 1)[1])
    for key in ("learning", "quality", "problems"):
        del document[key]
    (tmp_path / MONITORS).write_bytes(state_file.dump("inference-sidecar/monitors/v1", document))
    after = Observer(tmp_path)
    assert after.pipeline.references.of("m") is not None and after.failures("corrupt") == 0


def labelled(observer: Observer, ids: str) -> None:
    """Predictions that wait for their labels, as numbers, one for each letter."""
    for identity in ids:
        said = inference(outputs={"y": [1]}, x=[0])
        said.request_id = identity
        observer.pipeline.labels.observe(exchange(), said)


def waiting(observer: Observer) -> int:
    observer.registry.snapshot()
    return int(observer.registry.value("sidecar_labels_pending", kind="prediction"))


async def test_while_few_predictions_wait_for_labels_who_is_killed_forgets_a_minute(tmp_path, monkeypatch):
    minutes = itertools.count(clock.monotonic(), 60.0)
    monkeypatch.setattr(clock, "monotonic", lambda: next(minutes))
    observer = Observer(tmp_path)
    for ids in ("a", "bc"):
        labelled(observer, ids)
        await observer.saves()
    observer.killed()

    assert waiting(Observer(tmp_path)) == 3


async def test_the_more_waits_for_labels_the_less_often_it_is_saved(tmp_path, monkeypatch):
    monkeypatch.setattr("sidecar.observer.state.LABELS_SECONDS", 0.0)
    monkeypatch.setattr("sidecar.observer.state.LABELS_BYTES_A_SECOND", 0.01)
    observer = Observer(tmp_path)
    for ids in ("a", "bc"):
        labelled(observer, ids)
        await observer.saves()
    kept = (tmp_path / LABELS).read_bytes()
    await observer.leaves()

    assert len((tmp_path / LABELS).read_bytes()) > len(kept)
    assert waiting(Observer(tmp_path)) == 3


async def test_what_would_be_too_large_to_read_is_not_written(tmp_path, monkeypatch):
    observer = Observer(tmp_path).learns()
    monkeypatch.setattr("sidecar.observer.state.MAX_BYTES", 1_000)
    await observer.saves()
    assert not (tmp_path / MONITORS).exists() and observer.failures("other") >= 1
