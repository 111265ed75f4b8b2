"""TorchServe over gRPC: bytes that may be anything."""

import json

import pytest

from sidecar.inference import ModelRef, Undecoded
from tests.decoders.grpc_calls import TORCHSERVE, read
from tests.decoders.protobuf_encoder import bytes_field
from tests.decoders.reading import table

PREDICT = TORCHSERVE + "Predictions"
SUM = bytes_field(1, "sum") + bytes_field(2, "2.0")


def inputs(**values: bytes | str) -> bytes:
    return b"".join(
        bytes_field(3, bytes_field(1, name) + bytes_field(2, value)) for name, value in values.items()
    )


def prediction(value) -> bytes:
    return bytes_field(1, value if isinstance(value, bytes) else json.dumps(value))


def test_named_inputs_are_one_row_of_features_where_they_are_scalars():
    message = SUM + inputs(age="31", income="0.5", city="Bern", tags="[1, 2]", image=b"\x89PNG\xff")
    inference = read(PREDICT, message, prediction(8.6))
    assert inference.model == ModelRef("sum", "2.0") and inference.rows == 1
    assert table(inference.features) == {"age": [31], "income": [0.5], "city": ["Bern"]}
    assert table(inference.outputs) == {"prediction": [8.6]}


@pytest.mark.parametrize(
    ("document", "columns"),
    [
        ({"age": 31, "city": "Bern"}, {"age": [31], "city": ["Bern"]}),
        ([{"age": 31}, {"age": 45}], {"age": [31, 45]}),
        ({"instances": [{"age": 31}]}, {"age": [31]}),
        (7, {"input[0]": [7]}),
    ],
)
def test_a_lone_document_is_read_as_over_rest(document, columns):
    assert table(read(PREDICT, SUM + inputs(data=json.dumps(document))).features) == columns


def test_an_image_or_a_long_text_is_one_row_without_features():
    for value in (b"\x89PNG\xff\x00", "word " * 1_000):
        inference = read(PREDICT, SUM + inputs(data=value), prediction({"cat": 0.7, "dog": 0.2}))
        assert (inference.rows, inference.features, inference.undecoded) == (1, [], None)
        assert table(inference.outputs) == {"label": ["cat"], "score": [0.7]}


def test_no_input_and_an_answer_that_is_none_have_reasons():
    assert read(PREDICT, SUM, prediction(1)).undecoded is Undecoded.SHAPE
    assert read(PREDICT, SUM + inputs(age="1"), prediction(b"\xff\xfe")).undecoded is Undecoded.NOT_JSON


def test_pieces_of_a_stream_are_no_predictions_and_their_features_count_all_the_same():
    message = SUM + inputs(age="31")
    inference = read(TORCHSERVE + "StreamPredictions", message, [prediction(b"he"), prediction(b"llo")])
    assert inference.undecoded is Undecoded.STREAM and inference.outputs == []
    assert table(inference.features) == {"age": [31]}


def test_a_message_cut_at_any_byte_has_a_reason_or_less_to_say():
    message = SUM + inputs(age="31", city="Bern")
    whole = read(PREDICT, message, prediction(1))
    for at in range(len(message)):
        inference = read(PREDICT, message[:at], prediction(1))
        assert inference.undecoded is not Undecoded.INTERNAL
        assert inference.undecoded is not None or len(inference.features) < len(whole.features)
