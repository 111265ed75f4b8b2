"""Rows that wait for their micro-batch to be full."""

import numpy as np

from sidecar.monitors.drift_judge import MicroBatch
from sidecar.monitors.drift_waiting import Waiting


def test_what_is_added_is_taken_once_from_first_to_last():
    waiting = Waiting(2)
    waiting.add(np.array([1, 2]), 3, 2, (5.0, 6.0), (100, 107))
    waiting.add(np.array([0, 4]), 4, 1, (7.0, 9.0), (120, 131))
    assert (waiting.rows, waiting.first) == (7, 5.0)
    counts, batch = waiting.take()
    assert counts.tolist() == [1, 6]
    assert batch == MicroBatch(7, 3, 5.0, 9.0, (100, 131))
    waiting.add(np.array([1, 0]), 1, 1, (20.0, 20.0), (300, 301))
    assert counts.tolist() == [1, 6]
    counts, batch = waiting.take()
    assert counts.tolist() == [1, 0]
    assert batch == MicroBatch(1, 1, 20.0, 20.0, (300, 301))
