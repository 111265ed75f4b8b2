import io

import numpy as np
import pytest

from sidecar.decoders import tables
from tests.decoders.reading import table
from tests.decoders.records import floats, framed, record

NPY = io.BytesIO()
np.save(NPY, np.array([[1.0, 2.0]]))
ONE_ROW = {"input[0]": [1], "input[1]": [2]}


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"1,2\n", "text/csv"),
        (b"1,2\n", "Text/CSV; charset=utf-8"),
        (NPY.getvalue(), "application/x-npy"),
        (NPY.getvalue(), ""),
        (framed(record(values=floats(1, 2))), "application/x-recordio-protobuf"),
        (framed(record(values=floats(1, 2))), "application/octet-stream"),
        (b"0:1 1:2\n", "text/libsvm"),
    ],
)
def test_a_table_is_told_by_its_first_bytes_else_by_its_type(data, content_type):
    rows, found = tables.of_request(data, content_type)
    assert (rows, table(found)) == (1, ONE_ROW)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b'{"a": 1}', "application/json"),
        (b' {"a": 1}\n', "text/csv"),
        (b"[1, 2]", "text/csv"),
        (b"1,2\n", ""),
        (b"PAR1", "application/vnd.apache.parquet"),
        (b"", ""),
    ],
)
def test_anything_else_is_no_table(data, content_type):
    assert tables.of_request(data, content_type) is None
    assert tables.of_answer(data, content_type) is None


def test_the_outputs_of_an_answer_are_called_predictions():
    assert table(tables.of_answer(b"0.5\n0.7\n", "text/csv")[1]) == {"prediction": [0.5, 0.7]}
    scores = io.BytesIO()
    np.save(scores, np.array([[0.5], [0.7]]))
    assert table(tables.of_answer(scores.getvalue(), "text/html")[1]) == {"prediction": [0.5, 0.7]}
    records = framed(record({"score": floats(0.5)}))
    assert table(tables.of_answer(records, "")[1]) == {"score": [0.5]}
