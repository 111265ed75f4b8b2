"""Rows far outside the reference are counted, rows like it are not."""

import math

import numpy as np
import pytest

from sidecar.monitors import out_of_distribution
from sidecar.monitors.out_of_distribution import OutOfDistribution, bounds
from sidecar.profiles.build import ColumnBuilder
from sidecar.registry import Registry
from tests.fakes import OneReference
from tests.monitors.drift_streams import batch, draw, levels, reference

FEATURES = 30


def odd_share(kind, seed, spoil=lambda rows: None, given=5_000):
    registry = Registry()
    monitor = OutOfDistribution(registry, OneReference(reference(draw(kind, given, FEATURES, seed))))
    rows = draw(kind, 25_600, FEATURES, seed + 1)
    spoil(rows)
    for at in range(0, len(rows), 256):
        monitor.fold(batch(rows[at : at + 256]))
    return registry.value("inference_out_of_distribution_rows_total", model_version="1") / len(rows)


@pytest.mark.parametrize("kind", ["normal", "lognormal", "t3"])
def test_less_than_one_row_in_a_thousand_is_odd_in_control(kind):
    assert odd_share(kind, 5) <= 0.001


def test_one_number_in_thirty_at_six_deviations_makes_nine_rows_in_ten_odd():
    def spoil(rows):
        at = np.random.default_rng(0).integers(0, FEATURES, len(rows))
        rows[np.arange(len(rows)), at] = 6.0

    assert odd_share("normal", 5, spoil) >= 0.9


@pytest.mark.parametrize(("together", "odd"), [(1, 0), (2, 0), (3, 1)])
def test_three_numbers_moderately_far_out_make_a_row_odd_and_fewer_do_not(together, odd):
    given, registry = reference(draw("normal", 5_000, FEATURES, 5)), Registry()
    far = [bounds(p, out_of_distribution._EACH_CHANCE)[1] + 1e-6 for p in given.features.values()]
    rows = np.zeros((1, FEATURES))
    rows[0, :together] = far[:together]
    OutOfDistribution(registry, OneReference(given)).fold(batch(rows))
    assert registry.value("inference_out_of_distribution_rows_total") == odd


def test_nulls_and_categories_are_not_odd_and_without_a_reference_nothing_is():
    registry = Registry()
    references = OneReference()
    monitor = OutOfDistribution(registry, references)
    far = np.full((64, 2), 1e9)
    monitor.fold(batch(far))
    assert registry.value("inference_out_of_distribution_rows_total") == 0
    references.reference = reference(draw("normal", 5_000, 2, 0))
    empty = np.full((64, 2), np.nan)
    monitor.fold(batch(empty, region=levels("region", ["x"] * 64)))
    assert registry.value("inference_out_of_distribution_rows_total") == 0
    monitor.fold(batch(far))
    assert registry.value("inference_out_of_distribution_rows_total") == 64


def test_features_that_the_batch_lacks_or_that_the_reference_does_not_know_do_not_matter():
    registry = Registry()
    monitor = OutOfDistribution(registry, OneReference(reference(draw("normal", 5_000, 4, 0))))
    monitor.fold(batch(np.zeros((10, 1))))
    monitor.fold(batch(np.full((10, 6), 0.0) + np.array([0, 0, 0, 0, 1e9, 1e9])))
    assert registry.value("inference_out_of_distribution_rows_total") == 0


def profile(values):
    builder = ColumnBuilder("x")
    builder.add(np.asarray(values, float))
    return builder.profile()


def test_a_heavy_tail_is_allowed_to_be_heavy():
    light = bounds(profile(draw("normal", 5_000, 1, 0)[:, 0]), 1e-6)
    heavy = bounds(profile(draw("lognormal", 5_000, 1, 0)[:, 0]), 1e-6)
    assert 4 < light[1] < 8
    assert heavy[1] > 40
    assert heavy[0] > -1  # and only on its side


@pytest.mark.parametrize("values", [[1.0] * 100, [0.0, 1.0] * 100, [1.0, 2.0]])
def test_few_values_leave_room_of_their_width(values):
    low, high = bounds(profile(values), 1e-6)
    assert low <= min(values)
    assert high >= max(values)
    assert not math.isnan(low + high) or math.isinf(low)
