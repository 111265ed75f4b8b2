"""What `sidecar replay` prints for people."""

import numpy as np
import pytest

from sidecar.replay.tables import _figure


@pytest.mark.parametrize(
    ("values", "said"),
    [([0.21, np.nan, 1.783], "1.783"), ([-8.5e-05, -0.0009], "0.000"), ([-0.004], "-0.004"), ([np.nan], "")],
)
def test_the_largest_figure_of_a_column_has_no_signed_zero(values, said):
    assert _figure(np.array(values, np.float32)) == said
