"""Another unit is recognised by quartiles, and named."""

import numpy as np
import pytest

from sidecar.monitors.quality_unit import CONVERSIONS, conversion, quartiles
from sidecar.profiles.build import ColumnBuilder


def profile(values):
    builder = ColumnBuilder("x")
    builder.add(values)
    return builder.profile()


AGES = np.random.default_rng(0).normal(40, 12, 5_000)


def of(values):
    return np.quantile(values, (0.25, 0.5, 0.75))


def test_the_quartiles_of_a_reference_come_from_its_bins():
    assert np.allclose(quartiles(profile(AGES)), of(AGES), atol=0.5)


@pytest.mark.parametrize("by", CONVERSIONS, ids=lambda by: by.words)
@pytest.mark.parametrize("kind", ["ages", "normal", "lognormal"])
def test_each_conversion_is_named(by, kind):
    rng = np.random.default_rng(1)
    draw = {
        "ages": lambda rows: rng.normal(40, 12, rows),
        "normal": rng.standard_normal,
        "lognormal": lambda rows: rng.lognormal(size=rows),
    }[kind]
    usual = np.array(quartiles(profile(draw(5_000))))
    named = conversion(of(draw(256) * by.scale + by.offset), usual)
    assert named is not None
    assert named.words == by.words


@pytest.mark.parametrize("factor", [2.0, 0.5, 5.0, 317.0])
def test_a_factor_that_no_unit_has_is_not_named(factor):
    assert conversion(of(AGES[:64] * factor), of(AGES)) is None


def test_a_column_without_spread_or_bins_has_no_quartiles():
    assert np.isnan(quartiles(None)).all()
    assert np.isnan(quartiles(profile(["a", "b"] * 50))).all()
