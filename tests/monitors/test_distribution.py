"""Rows per bin, and the reference beside them."""

import pytest

from sidecar.monitors.distribution import Distribution
from sidecar.monitors.rows import Rows
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnProfile, ColumnType, Expectation
from sidecar.registry import Registry
from tests.fakes import OneReference, exchange, inference, reference

ROWS, RATIO = "inference_distribution_rows_total", "inference_reference_ratio"
AGE = ColumnProfile(
    "age", ColumnType.NUMBER, 900, 0.1, tuple(float(i) for i in range(5, 100, 5)), (0.05,) * 20
)
REGION = ColumnProfile("region", ColumnType.CATEGORY, 1_000, levels={"n": 0.7, "s": 0.3})


@pytest.fixture
def registry():
    return Registry()


def monitor(registry, given=None, **expectations):
    policies, references = Policies(ModelPolicy(expectations=expectations)), OneReference(given)
    rows = Rows([Distribution(registry, policies, references)], policies, references)
    registry.before_snapshot(rows.flush)
    rows.references = references
    return rows


def series(registry, metric, /, **match):
    family = next(f for f in registry.snapshot().families if f.metric.name == metric)
    at = {label: i for i, label in enumerate(family.metric.labels)}
    return {k[at["bin"]]: v for k, v in family.series if all(k[at[n]] == v for n, v in match.items())}


def test_rows_are_counted_in_the_bins_of_the_given_reference_under_its_hash(registry):
    given = reference([AGE])
    monitor(registry, given).observe(exchange(), inference(age=[3, 7, 12, 99, None]))
    counted = series(registry, ROWS, name="age", profile=given.profile)
    assert {k: v for k, v in counted.items() if v} == {"<=10": 2, "10..20": 1, ">90": 1, "__null__": 1}
    assert len(counted) == 12


def test_every_bin_of_a_given_reference_is_at_zero_with_its_share_beside_it(registry):
    monitor(registry, reference([AGE, REGION])).observe(exchange(), inference(other=["x"]))
    for name in ("age", "region"):
        bins, shares = series(registry, ROWS, name=name), series(registry, RATIO, name=name)
        assert bins.keys() == shares.keys()
        assert sum(shares.values()) == pytest.approx(1.0)
    assert registry.value("inference_reference_rows", name="age") == 900


def test_outputs_are_counted_beside_features_under_their_own_kind(registry):
    given = reference([AGE], [ColumnProfile("age", ColumnType.NUMBER, 50, 0.0, (0.5,), (0.5, 0.5))])
    monitor(registry, given).observe(exchange(), inference(outputs={"age": [0.7]}, age=[3]))
    assert series(registry, ROWS, kind="output", name="age")[">0.5"] == 1
    assert series(registry, ROWS, kind="feature", name="age")["<=10"] == 1


def test_without_a_reference_numbers_are_counted_on_the_grid(registry):
    monitor(registry).observe(exchange(), inference(outputs={"score": [0.93, 0.97]}, age=[41, 43]))
    age = series(registry, ROWS, name="age", profile="grid1")
    assert age == {"20..50": 2, "10..20": 0, "50..100": 0, "__null__": 0, "__invalid__": 0}
    assert series(registry, ROWS, name="score", profile="grid1")["0.9..0.95"] == 1


def test_a_learnt_reference_is_announced_and_never_binned_by(registry):
    learnt = reference([AGE], source="learnt")
    monitor(registry, learnt).observe(exchange(), inference(age=[41]))
    assert registry.value("inference_reference_info", source="learnt", profile=learnt.profile) == 1
    assert registry.value(RATIO) == 0
    assert registry.value(ROWS, profile="grid1") == 1


def test_a_new_reference_replaces_the_series_of_the_old_one(registry):
    rows = monitor(registry, reference([AGE]))
    old = rows.references.reference.profile
    rows.observe(exchange(), inference(age=[41]))
    rows.flush()
    new = rows.references.reference = reference([REGION])
    rows.observe(exchange(), inference(region=["n"]))
    assert registry.value(ROWS, profile=new.profile) == 1
    for name in (ROWS, RATIO, "inference_reference_info", "inference_reference_rows"):
        assert registry.value(name, profile=old) == 0
    assert old != new.profile


def test_each_version_has_the_reference_of_its_model(registry):
    rows = monitor(registry, reference([REGION]))
    rows.observe(exchange(), inference(version="1", region=["n"]))
    rows.observe(exchange(), inference(version="2", region=["s"]))
    for version in "12":
        assert series(registry, RATIO, model_version=version)["n"] == pytest.approx(0.7)
    assert series(registry, ROWS, model_version="2")["s"] == 1


def test_a_value_that_nobody_listed_is_never_a_label(registry):
    rows = monitor(registry, None, region=Expectation(values=("n", "s", "w", "e")))
    rows.observe(exchange(), inference(region=["n", "secret"], diagnosis=["secret", "secret"]))
    assert series(registry, ROWS, name="region") == {
        "n": 1, "s": 0, "w": 0, "e": 0, "__other__": 1, "__null__": 0, "__invalid__": 0,
    }  # fmt: skip
    assert series(registry, ROWS, name="diagnosis") == {}


def test_bins_stay_within_the_promised_number_of_series(registry):
    names = [f"f{i}" for i in range(30)]
    given = reference([ColumnProfile(n, AGE.type, 1_000, 0.0, AGE.edges, AGE.shares) for n in names])
    rows = monitor(registry, given)
    for version in "12":
        rows.observe(exchange(), inference(version=version, **{n: [1, 50] for n in names}))
    families = {f.metric.name: len(f.series) for f in registry.snapshot().families}
    assert families[ROWS] == 30 * 2 * 12
