"""SeldonMessage in protobuf: the same rows as over REST."""

import pytest
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.inference import ModelRef, Undecoded
from tests.decoders.grpc_calls import SELDON, capture, messages, read
from tests.decoders.protobuf_encoder import bytes_field, double_field, packed, varint_field
from tests.decoders.reading import decode, table
from tests.decoders.test_tensorflow_tensor import FLOAT, shape

NAMES = bytes_field(1, "age") + bytes_field(1, "income")


def data(*, names: bytes = NAMES, **kind: bytes) -> bytes:
    number = {"tensor": 2, "ndarray": 3, "tftensor": 4}
    return bytes_field(3, names + b"".join(bytes_field(number[name], one) for name, one in kind.items()))


def ndarray(rows) -> bytes:
    values = struct_pb2.ListValue()
    values.extend(rows)
    return values.SerializeToString()


def test_a_capture_has_the_names_of_the_client_and_the_classes_of_the_model():
    inference = decode(capture("seldon-v1-grpc/predict_ndarray"))
    assert inference.undecoded is None and inference.rows == 2
    assert table(inference.features) == {
        "sepal_len": [5.1, 6.2],
        "sepal_wid": [3.5, 2.9],
        "petal_len": [1.4, 4.3],
        "petal_wid": [0.2, 1.3],
    }
    assert list(table(inference.outputs)) == ["setosa", "versicolor", "virginica"]
    assert all(len(column.values) == 2 for column in inference.outputs)


@pytest.mark.parametrize(
    "message",
    [
        data(tensor=packed(1, "int32", [2, 2]) + packed(2, "double", [31, 0.5, 45, 0.25])),
        data(ndarray=ndarray([[31, 0.5], [45, 0.25]])),
        data(tftensor=FLOAT + shape(2, 2) + packed(5, "float", [31, 0.5, 45, 0.25])),
    ],
)
def test_tensor_ndarray_and_tftensor_mean_the_same(message):
    inference = read(SELDON, message, message)
    assert table(inference.features) == table(inference.outputs) == {"age": [31, 45], "income": [0.5, 0.25]}


def test_columns_without_names_are_numbered():
    message = data(names=b"", ndarray=ndarray([[1, "x"], [2, "y"]]))
    assert list(table(read(SELDON, message).features).values()) == [[1.0, 2.0], ["x", "y"]]


def test_json_is_read_by_habit_and_text_and_bytes_are_one_row():
    value = struct_pb2.Value()
    value.struct_value.update({"age": 31, "city": "Bern"})
    inference = read(SELDON, bytes_field(6, value.SerializeToString()))
    assert table(inference.features) == {"age": [31.0], "city": ["Bern"]}
    for message in (bytes_field(4, b"\x89PNG"), bytes_field(5, "some text")):
        inference = read(SELDON, message, data(ndarray=ndarray([[1.0, 2.0]])))
        assert inference.rows == 1 and inference.undecoded is None
    assert read(SELDON, bytes_field(4, b"\x89PNG")).features == []


def test_the_puid_is_the_id_and_a_graph_of_one_step_names_its_model():
    path = bytes_field(4, bytes_field(1, "churn") + bytes_field(2, "registry/churn:1.4"))
    reply = bytes_field(2, bytes_field(1, "p-1") + path) + data(ndarray=ndarray([[1.0, 2.0]]))
    inference = read(SELDON, data(ndarray=ndarray([[1.0, 2.0]])), reply)
    assert (inference.request_id, inference.model) == ("p-1", ModelRef("churn", "1.4"))
    asked = bytes_field(2, bytes_field(1, "p-2")) + data(ndarray=ndarray([[1.0, 2.0]]))
    assert read(SELDON, asked, reply).request_id == "p-2"


def test_a_failure_inside_an_answer_is_an_error_by_its_reason_only():
    status = varint_field(1, -1) + bytes_field(2, "customer 12 has no age") + bytes_field(3, "BAD_DATA")
    inference = read(SELDON, data(ndarray=ndarray([[1.0, 2.0]])), bytes_field(1, status + varint_field(4, 1)))
    assert inference.error == "BAD_DATA" and inference.outputs == [] and inference.undecoded is None
    fine = bytes_field(1, status) + data(ndarray=ndarray([[1.0, 2.0]]))
    assert read(SELDON, data(ndarray=ndarray([[1.0, 2.0]])), fine).error == ""


def test_messages_without_data_or_of_uneven_data_are_not_readable():
    for message in (b"", data(), data(tensor=packed(1, "int32", [3]) + packed(2, "double", [1]))):
        assert read(SELDON, message).undecoded is Undecoded.SHAPE
    deep = double_field(2, 1.0)
    for _ in range(200):
        deep = bytes_field(6, bytes_field(1, deep))
    assert read(SELDON, data(ndarray=bytes_field(1, deep))).undecoded is Undecoded.TOO_DEEP


cells = st.floats(allow_nan=False) | st.text(max_size=3) | st.none() | st.booleans()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_rows_of_any_values_are_the_rows_that_were_sent(rows):
    found = table(read(SELDON, data(ndarray=ndarray([list(row) for row in rows]))).features)
    assert list(zip(found["age"], found["income"], strict=True)) == rows


def test_a_message_cut_at_any_byte_has_a_reason():
    (request,), (reply,) = (
        messages("seldon-v1-grpc/predict_ndarray"),
        messages("seldon-v1-grpc/predict_ndarray", "resp"),
    )
    for at in range(len(request)):
        assert read(SELDON, request[:at], reply).undecoded not in (None, Undecoded.INTERNAL)
    for at in range(len(reply)):
        inference = read(SELDON, request, reply[:at])
        assert inference.undecoded not in (None, Undecoded.INTERNAL) and len(inference.features) == 4
