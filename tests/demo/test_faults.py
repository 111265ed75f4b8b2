import random

import pytest

from sidecar.demo.faults import NO_DATA_FAULT, DataFault, ServerFault

ROW = {"a": 2.0, "b": 5.0}


def test_no_fault_leaves_the_row_as_it_is():
    assert NO_DATA_FAULT.apply(ROW, random.Random(0)) == ROW


def test_the_null_surge_hits_its_share_of_rows_and_only_its_feature():
    fault, chance = DataFault(null_feature="a", null_ratio=0.3), random.Random(0)
    rows = [fault.apply(ROW, chance) for _ in range(2_000)]

    assert 0.25 < sum(row["a"] is None for row in rows) / len(rows) < 0.35
    assert all(row["b"] == 5.0 for row in rows)


def test_the_shift_multiplies_its_feature_and_leaves_nulls_alone():
    fault = DataFault(scaled_feature="a", scale=3)

    assert fault.apply(ROW, random.Random(0)) == {"a": 6.0, "b": 5.0}
    assert fault.apply({"a": None}, random.Random(0)) == {"a": None}


def test_the_row_that_was_given_is_not_changed():
    DataFault("a", 1.0, "b", 3).apply(ROW, random.Random(0))

    assert ROW == {"a": 2.0, "b": 5.0}


def test_a_server_fault_travels_as_one_line():
    fault = ServerFault(0.25, 0.3)

    assert fault.encode().count(b"\n") == 1
    assert ServerFault.decode(fault.encode()) == fault


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"other": 1}'])
def test_a_line_that_is_no_fault_is_refused(line):
    with pytest.raises((ValueError, TypeError)):
        ServerFault.decode(line)
