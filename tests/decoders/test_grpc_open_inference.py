"""Open Inference over gRPC: what clients and servers of all kinds put into the same messages."""

import struct

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import grpc_open_inference
from sidecar.inference import ModelRef, Undecoded
from tests.decoders import captures
from tests.decoders.grpc_calls import INFER, STREAM, capture, messages, read, tensor
from tests.decoders.protobuf_encoder import bytes_field, packed, unpacked, varint_field
from tests.decoders.reading import decode, table

CHURN = bytes_field(1, "churn") + bytes_field(2, "3")
RAW_INPUTS, RAW_OUTPUTS = 7, 6
# The field of contents, the scalar in it, and some values.
TYPED = {
    "BOOL": (1, "bool", [True, False]),
    "INT8": (2, "int32", [-128, 127]),
    "INT16": (2, "int32", [-5, 300]),
    "INT32": (2, "int32", [-(2**31), 7]),
    "INT64": (3, "int64", [-(2**63), 2**63 - 1]),
    "UINT8": (4, "uint32", [0, 255]),
    "UINT16": (4, "uint32", [0, 65535]),
    "UINT32": (4, "uint32", [0, 2**32 - 1]),
    "UINT64": (5, "uint64", [0, 2**64 - 1]),
    "FP32": (6, "float", [-1.5, 0.25]),
    "FP64": (7, "double", [0.1, 1e300]),
}
quick = settings(max_examples=60, deadline=None)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def expected(tensors):
    columns = {}
    for one in tensors:
        width = one["shape"][1] if len(one["shape"]) == 2 else 1
        for i in range(width):
            columns[one["name"] if width == 1 else f"{one['name']}[{i}]"] = one["data"][i::width]
    return columns


@pytest.mark.parametrize("case", ["mls_iris_raw", "mls_iris_contents", "ks_iris_raw_in_contents_out"])
def test_captures_are_read_as_the_client_sent_and_the_model_answered_them(case):
    meant = captures.EXPECTED[f"v2-grpc/{case}"]
    inference = decode(capture(f"v2-grpc/{case}"))
    assert inference.undecoded is None
    assert inference.model == ModelRef(meant["response"]["model"], meant["response"]["version"])
    assert inference.request_id == meant["request"]["id"]
    assert inference.rows == 2
    assert table(inference.features) == expected(meant["request"]["tensors"])
    assert table(inference.outputs) == expected(meant["response"]["tensors"])


def test_a_capture_of_triton_with_text_outputs_is_read():
    inference = decode(capture("v2-grpc/tr_gzip"))
    assert table(inference.outputs)["label"] == ["setosa", "virginica"]
    assert inference.rows == 2 and len(inference.features) == 4 and len(inference.outputs) == 4
    assert inference.model == ModelRef("iris", "1")


def test_a_capture_of_a_decoupled_stream_has_its_answers_below_one_another():
    inference = decode(capture("v2-grpc/tr_stream_decoupled"))
    meant = [text for text in captures.EXPECTED["v2-grpc/tr_stream_decoupled"]["stream_outputs"] if text]
    assert table(inference.outputs) == {"text": meant}
    assert table(inference.features) == {"prompt": ["the quick brown fox"]}
    assert (inference.model, inference.request_id) == (ModelRef("tok", "1"), "st-1")
    assert inference.decoupled and inference.error == "" and inference.undecoded is None


@pytest.mark.parametrize("case", ["tr_err", "mls_err_notfound"])
def test_a_failed_call_has_its_model_and_features(case):
    seen = capture(f"v2-grpc/{case}")
    inference = decode(seen)
    assert inference.model.name and inference.features and inference.rows == 2
    assert inference.undecoded is None and inference.outputs == []


@pytest.mark.parametrize("datatype", TYPED)
@pytest.mark.parametrize("encoder", [packed, unpacked])
def test_contents_of_every_datatype_are_read_packed_or_not(datatype, encoder):
    number, scalar, values = TYPED[datatype]
    request = tensor("x", datatype, [2], encoder(number, scalar, values))
    assert table(read(INFER, CHURN + request).features) == {"x": values}


def test_text_in_contents_is_text_and_other_bytes_are_not():
    contents = bytes_field(8, "Zürich") + bytes_field(8, b"\xff\xfe") + bytes_field(8, b"")
    values = table(read(INFER, tensor("city", "BYTES", [3, 1], contents)).features)["city"]
    assert values == ["Zürich", "<binary>", ""]


def test_raw_tensors_of_halves_and_text_are_read():
    raw_text = b"".join(len(text).to_bytes(4, "little") + text for text in (b"a", b"\xc3\xa9"))
    request = (
        tensor("h", "FP16", [2])
        + tensor("b", "BF16", [2])
        + tensor("t", "BYTES", [2])
        + bytes_field(RAW_INPUTS, np.array([1.5, -2], "<f2").tobytes())
        + bytes_field(RAW_INPUTS, b"\x80\x3f\x00\x40")
        + bytes_field(RAW_INPUTS, raw_text)
    )
    assert table(read(INFER, request).features) == {"h": [1.5, -2.0], "b": [1.0, 2.0], "t": ["a", "é"]}


def test_raw_tensors_are_those_of_the_tensors_without_contents_in_order():
    request = (
        tensor("a", "FP32", [1])
        + tensor("b", "INT64", [1], packed(3, "int64", [7]))
        # An empty contents message comes with raw data, too.
        + tensor("c", "FP32", [1], more=bytes_field(5, b""))
        + bytes_field(RAW_INPUTS, floats(1.0))
        + bytes_field(RAW_INPUTS, floats(2.0))
    )
    assert table(read(INFER, request).features) == {"a": [1.0], "b": [7], "c": [2.0]}


def shared(name: str, rows: int) -> bytes:
    region = bytes_field(4, bytes_field(1, "shared_memory_region") + bytes_field(2, bytes_field(3, "r0")))
    return tensor(name, "FP32", [rows], more=region)


@pytest.mark.parametrize("placeholder", [b"", bytes_field(RAW_INPUTS, b"")])
def test_a_tensor_in_shared_memory_has_rows_and_its_values_are_elsewhere(placeholder):
    request = shared("a", 2) + tensor("b", "FP32", [2]) + placeholder + bytes_field(RAW_INPUTS, floats(1, 2))
    inference = read(INFER, request)
    assert inference.rows == 2 and inference.elsewhere
    assert table(inference.features) == {"b": [1.0, 2.0]}
    assert read(INFER, shared("a", 2)).rows == 2
    assert not read(INFER, tensor("b", "FP32", [1], packed(6, "float", [1]))).elsewhere


@pytest.mark.parametrize(
    "request_",
    [
        CHURN,  # no tensors
        tensor("x", "FP32", [2]),  # no data
        tensor("x", "FP32", [2]) + bytes_field(RAW_INPUTS, floats(1)),
        tensor("x", "FP32", [2]) + bytes_field(RAW_INPUTS, floats(1, 2)) * 2,
        tensor("x", "FP32", [2], packed(6, "float", [1])),
        tensor("x", "FP32", [2], packed(7, "double", [1, 2])),  # another field than its datatype's
        tensor("x", "FP16", [1], packed(6, "float", [1])),  # halves only come raw
        tensor("x", "COMPLEX", [1]) + bytes_field(RAW_INPUTS, b"\0\0\0\0"),
        tensor("x", "FP32", [-1]) + bytes_field(RAW_INPUTS, b""),
        tensor("x", "FP32", [1] * 65) + bytes_field(RAW_INPUTS, floats(1)),
        tensor("x", "BYTES", [2]) + bytes_field(RAW_INPUTS, b"\xff\xff\xff\xffab"),
    ],
)
def test_tensors_that_do_not_fit_together_have_the_wrong_shape(request_):
    inference = read(INFER, request_)
    assert inference.undecoded is Undecoded.SHAPE and inference.features == [] and inference.rows == 0


def test_no_rows_too_many_rows_and_too_many_tensors_have_their_reasons():
    for request, reason in (
        (tensor("x", "FP32", [0, 4]), Undecoded.NO_ROWS),
        (tensor("x", "UINT8", [200_000]) + bytes_field(RAW_INPUTS, bytes(200_000)), Undecoded.TOO_MANY_ROWS),
        (tensor("x", "FP32", [1]) * 1_001, Undecoded.TOO_WIDE),
    ):
        assert read(INFER, request).undecoded is reason


def test_a_scalar_is_one_row_and_an_image_is_summarised():
    assert table(read(INFER, tensor("x", "FP64", [], packed(7, "double", [3]))).features) == {"x": [3.0]}
    image = tensor("image", "UINT8", [2, 3, 4, 4]) + bytes_field(RAW_INPUTS, bytes(range(96)))
    inference = read(INFER, image)
    assert inference.rows == 2
    assert {column.name for column in inference.features} == {
        "image.norm", "image.mean", "image.sparsity", "image.dimension",
    }  # fmt: skip


def test_parameters_are_no_features():
    content_type = bytes_field(4, bytes_field(1, "content_type") + bytes_field(2, bytes_field(3, "np")))
    request = CHURN + content_type + tensor("x", "FP32", [1], packed(6, "float", [1]), more=content_type)
    assert table(read(INFER, request).features) == {"x": [1.0]}


def parameter(name: str, value: str) -> bytes:
    return bytes_field(4, bytes_field(1, name) + bytes_field(2, bytes_field(3, value)))


def test_text_is_what_its_content_type_says_whether_the_tensor_or_the_request_has_it():
    encoded = tensor("b", "BYTES", [1], bytes_field(8, "QmVybg=="), more=parameter("content_type", "base64"))
    assert table(read(INFER, encoded).features) == {"b": ["Bern"]}
    frame = tensor("f", "BYTES", [1], bytes_field(8, '[{"age":31},{"age":45}]'))
    inference = read(INFER, parameter("content_type", "pd_json") + frame)
    assert inference.rows == 2 and table(inference.features) == {"age": [31, 45]}
    # Numbers are numbers, whatever somebody calls them.
    numbers = tensor("x", "FP32", [1], packed(6, "float", [1]), more=parameter("content_type", "base64"))
    assert table(read(INFER, numbers).features) == {"x": [1.0]}


def test_a_classification_that_was_asked_for_is_the_best_class_and_its_score():
    wanted = bytes_field(6, bytes_field(1, "y") + bytes_field(2, bytes_field(1, "classification")))
    texts = b"".join(bytes_field(8, text) for text in ("0.75:1:cat", "0.25:0:dog", "0.5:0:dog", "0.5:1:cat"))
    reply = tensor("y", "BYTES", [2, 2], texts)
    request = tensor("x", "FP32", [2], packed(6, "float", [1, 2]))
    assert table(read(INFER, request + wanted, reply).outputs) == {
        "y": ["cat", "dog"],
        "y.score": [0.75, 0.5],
    }
    assert table(read(INFER, request, reply).outputs)["y[0]"] == ["0.75:1:cat", "0.5:0:dog"]


def answer(*values: float, more: bytes = b"") -> bytes:
    """A ModelInferResponse with one output."""
    return (
        CHURN + bytes_field(3, "s-1") + more + tensor("y", "FP32", [len(values)], packed(6, "float", values))
    )


ASKED = CHURN + tensor("x", "FP32", [1], packed(6, "float", [1]))


def test_a_stream_of_bare_answers_and_one_of_wrapped_answers_mean_the_same():
    bare = [answer(1, 2), answer(3)]
    wrapped = [bytes_field(2, one) for one in bare]
    for answers in (bare, wrapped):
        inference = read(STREAM, [ASKED, ASKED], answers, streamed=True)
        assert table(inference.outputs) == {"y": [1.0, 2.0, 3.0]}
        assert table(inference.features) == {"x": [1.0, 1.0]} and inference.rows == 2
        assert inference.model == ModelRef("churn", "3") and inference.decoupled


def test_a_call_that_is_no_stream_is_not_decoupled():
    assert not read(INFER, ASKED, answer(1)).decoupled


def test_an_error_inside_a_stream_is_an_error_though_the_status_is_ok():
    failed = bytes_field(1, "in ensemble 'x': cannot convert 3.7 of customer 12")
    inference = read(STREAM, ASKED, [bytes_field(2, answer(1)), failed], streamed=True)
    assert inference.error == "error" and inference.outputs == [] and inference.undecoded is None
    assert read(INFER, ASKED, answer(1)).error == ""


def test_a_stream_with_an_empty_last_answer_or_no_answer_at_all_is_whole():
    final = bytes_field(4, bytes_field(1, "triton_final_response") + bytes_field(2, varint_field(1, 1)))
    last = bytes_field(2, CHURN + final)
    assert table(read(STREAM, ASKED, [bytes_field(2, answer(1)), last]).outputs) == {"y": [1.0]}
    for answers in ([last], []):
        inference = read(STREAM, ASKED, answers)
        assert inference.outputs == [] and inference.undecoded is None


def test_a_unary_answer_without_outputs_or_without_a_message_is_not_readable():
    assert read(INFER, ASKED, CHURN).undecoded is Undecoded.SHAPE
    assert read(INFER, ASKED, []).undecoded is Undecoded.EMPTY_BODY


def test_a_stream_for_several_models_cannot_be_one_inference():
    other = bytes_field(1, "fraud") + ASKED[len(CHURN) :]
    assert read(STREAM, [ASKED, other], [answer(1)]).undecoded is Undecoded.STREAM


def test_rows_of_a_stream_are_bounded():
    many = tensor("x", "UINT8", [60_000]) + bytes_field(RAW_INPUTS, bytes(60_000))
    assert read(STREAM, [many, many]).undecoded is Undecoded.TOO_MANY_ROWS


@quick
@given(
    rows=st.integers(1, 5),
    width=st.integers(1, 5),
    raw=st.booleans(),
    data=st.data(),
)
def test_what_was_encoded_is_what_is_read(rows, width, raw, data):
    values = data.draw(
        st.lists(st.floats(width=32, allow_nan=False), min_size=rows * width, max_size=rows * width)
    )
    contents = b"" if raw else packed(6, "float", values)
    request = tensor("x", "FP32", [rows, width], contents)
    request += bytes_field(RAW_INPUTS, floats(*values)) if raw else b""
    inference = read(INFER, CHURN + request)
    found = list(table(inference.features).values())
    assert [value for row in zip(*found, strict=True) for value in row] == values


def googles_request():
    """ModelInferRequest as Google's own library makes it of a schema: as much of it as is read."""
    schema = descriptor_pb2.FileDescriptorProto(name="infer.proto", package="t", syntax="proto3")
    F = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields):
        made = schema.message_type.add(name=name)
        for number, (field, kind, label) in fields:
            of = {"type": F.TYPE_MESSAGE, "type_name": f".t.{kind}"} if kind[0].isupper() else {}
            plain = {} if of else {"type": getattr(F, f"TYPE_{kind.upper()}")}
            made.field.add(name=field, number=number, label=label, **of, **plain)

    one, many = F.LABEL_OPTIONAL, F.LABEL_REPEATED
    kinds = ("bool", "int32", "int64", "uint32", "uint64", "float", "double", "bytes")
    message("Contents", *enumerate([(f"c_{kind}", kind, many) for kind in kinds], 1))
    names = [(1, ("name", "string", one)), (2, ("datatype", "string", one)), (3, ("shape", "int64", many))]
    message("Tensor", *names, (5, ("contents", "Contents", one)))
    models = [(1, ("model_name", "string", one)), (2, ("model_version", "string", one))]
    tensors = [(5, ("inputs", "Tensor", many)), (7, ("raw_input_contents", "bytes", many))]
    message("Request", *models, *tensors)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(schema)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Request"))


REQUEST = googles_request()


@quick
@given(data=st.data())
def test_what_googles_own_encoder_wrote_is_read(data):
    rows = data.draw(st.integers(1, 4))
    request = REQUEST(model_name="churn", model_version="3")
    sent = {}
    for datatype in data.draw(st.lists(st.sampled_from(list(TYPED)), min_size=1, unique=True)):
        _, scalar, values = TYPED[datatype]
        sent[datatype] = data.draw(st.lists(st.sampled_from(values), min_size=rows, max_size=rows))
        contents = {f"c_{scalar}": sent[datatype]}
        request.inputs.add(name=datatype, datatype=datatype, shape=[rows], contents=contents)
    request.inputs.add(name="raw", datatype="FP32", shape=[rows, 1])
    request.raw_input_contents.append(floats(*range(rows)))
    inference = read(INFER, request.SerializeToString())
    assert inference.model == ModelRef("churn", "3")
    assert table(inference.features) == {**sent, "raw": [*range(rows)]}


@pytest.mark.parametrize("case", ["mls_iris_raw", "mls_iris_contents", "tr_gzip"])
def test_a_message_cut_at_any_byte_has_a_reason_or_less_to_say(case):
    (request,), (reply,) = messages(f"v2-grpc/{case}"), messages(f"v2-grpc/{case}", "resp")
    whole = read(INFER, request, reply)
    for at in range(len(request)):
        inference = read(INFER, request[:at], reply)
        assert inference.undecoded is not None or inference == whole
        assert inference.undecoded is not Undecoded.INTERNAL
        assert len(inference.features) == 0
        assert len(inference.outputs) == len(whole.outputs)
    for at in range(len(reply)):
        inference = read(INFER, request, reply[:at])
        assert inference.undecoded not in (None, Undecoded.INTERNAL) and inference.outputs == []
        assert len(inference.features) == len(whole.features)


def remembered() -> str:
    return repr(list(grpc_open_inference._remembered))


def test_a_tensor_is_read_the_same_the_second_time_and_with_other_values():
    for values in ((1.0, 2.0), (1.0, 2.0), (3.0, 4.0)):
        asked = CHURN + tensor("again", "FP32", [2, 1]) + bytes_field(RAW_INPUTS, floats(*values))
        assert table(read(INFER, asked).features) == {"again": list(values)}
    larger = CHURN + tensor("again", "FP32", [3, 1]) + bytes_field(RAW_INPUTS, floats(1, 2, 3))
    assert table(read(INFER, larger).features) == {"again": [1, 2, 3]}
    assert "again" in remembered()


def test_nothing_is_remembered_of_values_parameters_or_what_is_malformed():
    values = tensor("held", "BYTES", [1], bytes_field(8, "s3cret"))
    parameter = bytes_field(4, bytes_field(1, "held") + bytes_field(2, bytes_field(3, "s3cret")))
    for one in (
        values,
        tensor("held", "FP32", [1], b"", parameter),
        bytes_field(5, bytes_field(1, "held") + b"\x1a\x7f"),
    ):
        read(INFER, CHURN + one + bytes_field(RAW_INPUTS, floats(1)))
    assert "held" not in remembered() and "s3cret" not in remembered()


def test_a_malformed_tensor_is_malformed_each_time():
    broken = CHURN + bytes_field(5, bytes_field(1, "x") + b"\x1a\x7f") + bytes_field(RAW_INPUTS, floats(1))
    for _ in range(2):
        assert read(INFER, broken).undecoded is Undecoded.NOT_PROTOBUF


def test_few_and_short_tensors_are_remembered():
    for i in range(1_100):
        read(INFER, CHURN + tensor(f"many{i}", "FP32", [1]) + bytes_field(RAW_INPUTS, floats(1)))
    read(INFER, CHURN + tensor("n" * 200, "FP32", [1]) + bytes_field(RAW_INPUTS, floats(1)))
    assert len(grpc_open_inference._remembered) <= 512
    assert max(map(len, grpc_open_inference._remembered)) <= 128
