"""Recorded rows judged within the values of a column."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidecar.cli import main
from sidecar.policy import ModelPolicy, Policies, Segment
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import Reference
from sidecar.replay.division import categories, divided
from sidecar.replay.rows import RowReplay

TENANTS = 10
BEFORE, AFTER = 72_000, 6_000
ROWS = BEFORE + AFTER


def recorded() -> tuple[dict[str, Any], list[str]]:
    """Two numbers and whose each row is; x of tenant t3 moves by .7 deviations, a fourteenth of all."""
    random = np.random.default_rng(11)
    x, y = random.normal(size=(2, ROWS))
    of = np.arange(ROWS) % TENANTS
    x[BEFORE:][of[BEFORE:] == 3] += 0.7
    return {"x": x, "y": y + of}, [f"t{i}" for i in of]


def reference() -> Reference:
    random = np.random.default_rng(12)
    builder = ProfileBuilder()
    y = random.normal(size=15_000) + np.arange(15_000) % TENANTS
    builder.add(15_000, {"x": random.normal(size=15_000), "y": y})
    return builder.reference()


def found(
    given: Reference | None, portion: int, segments: tuple[str, ...] = ("tenant",)
) -> list[dict[str, Any]]:
    columns, of = recorded()
    replay = RowReplay(LearntReferences(default=given), Policies(ModelPolicy()), "m", 5_000, segments)
    for at in range(0, ROWS, portion):
        part = {name: values[at : at + portion] for name, values in columns.items()}
        tenants = {"tenant": of[at : at + portion]} if segments else {}
        replay.feed(len(part["x"]), part, {}, None, tenants)
    replay.finish()
    return replay.findings.detections(models=False)


@pytest.mark.parametrize("given", [reference(), None], ids=["given", "learnt"])
def test_a_tenant_that_moves_is_found_by_name_and_by_nobody_else(given):
    loud = [d for d in found(given, 5_000) if d["level"] != "event"]
    assert {(d["segment"], d["value"], d["kind"], d["name"]) for d in loud} == {
        ("tenant", "t3", "feature", "x")
    }
    first = loud[0]["row"] - BEFORE
    assert 0 < first < 4_000
    assert [d for d in found(given, 5_000, ()) if d["level"] != "event"] == []


def test_verdicts_do_not_depend_on_how_rows_are_portioned():
    given = reference()
    assert found(given, 5_000) == found(given, 12_345) == sorted(found(given, 777), key=lambda d: d["row"])


def test_what_divides_rows_may_be_a_feature_or_any_kind_of_value():
    column = categories("c", ["a", "", None, float("nan"), 3, 3.0, True, [1], np.float64(2.5)])
    assert column.levels == ["a", None, None, None, "3", "3", "true", None, "2.5"]
    assert categories("c", np.array([1.0, np.nan])).levels == ["1", None]


def test_columns_come_beside_the_segments_of_the_configuration():
    policies = Policies(ModelPolicy(segments=(Segment("region", feature="r"), Segment("x", header="x-y"))))
    changed = divided(policies, "m", ["tenant", "x"])
    assert [(s.name, s.feature, s.header) for s in changed.of("m").segments] == [
        ("region", "r", ""), ("x", "x", ""), ("tenant", "tenant", ""),
    ]  # fmt: skip
    assert changed.of("other") == policies.of("other")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """The recorded rows as a file, and a profile of what was before them."""
    folder = tmp_path_factory.mktemp("division")
    data, training = folder / "week.csv", folder / "training.csv"
    columns, of = recorded()
    rows = zip(columns["x"], columns["y"], of, strict=True)
    data.write_text("x,y,tenant\n" + "".join(f"{x:.4f},{y:.4f},{t}\n" for x, y, t in rows))
    random = np.random.default_rng(12)
    drawn = zip(random.normal(size=15_000), random.normal(size=15_000), strict=True)
    lines = (f"{x:.4f},{y + i % TENANTS:.4f}\n" for i, (x, y) in enumerate(drawn))
    training.write_text("x,y\n" + "".join(lines))
    assert main(["profile", str(training), "-o", str(folder / "reference.json")]) == 0
    return data, folder / "reference.json"


def test_the_command_names_the_segment_in_json_and_in_the_table(files, capsys):
    data, profile = files
    arguments = ["replay", str(data), "--reference", str(profile), "--segment", "tenant"]
    capsys.readouterr()
    assert main([*arguments, "--format", "json"]) == 0
    loud = [d for d in json.loads(capsys.readouterr().out)["detections"] if d["level"] != "event"]
    assert {(d["segment"], d["value"], d["name"]) for d in loud} == {("tenant", "t3", "x")}
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "where" in shown and "tenant = t3" in shown


def test_a_column_that_is_not_there_is_a_mistake(files, capsys):
    data, profile = files
    assert main(["replay", str(data), "--reference", str(profile), "--segment", "region"]) == 2
    assert "no column 'region'; it has" in capsys.readouterr().err
