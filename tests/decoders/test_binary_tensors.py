import json
import math
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.decoders import columns, tensors
from sidecar.inference import Undecoded
from tests.decoders.reading import INVOCATIONS, V2, posted, read, refused, table, tensor
from tests.decoders.reading import decode as decode_exchange
from tests.decoders.test_raw_tensors import LETTERS, texts, values_of

LENGTH = "inference-header-content-length"
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def encoded(datatype, values):
    if datatype == "BYTES":
        return texts(*[value.encode() for value in values])
    return struct.pack(f"<{len(values)}{LETTERS[datatype]}", *values)


def raw(name, datatype, shape, values):
    """A tensor and its raw data."""
    data = encoded(datatype, values)
    return {
        "name": name,
        "datatype": datatype,
        "shape": shape,
        "parameters": {"binary_data_size": len(data)},
    }, data


def message(member, *parts, **more):
    """A body of tensors, raw ones as (tensor, data), and the header that goes with it."""
    tensors = [part[0] if isinstance(part, tuple) else part for part in parts]
    document = json.dumps({**more, member: tensors}).encode()
    data = b"".join(part[1] for part in parts if isinstance(part, tuple))
    return document + data, {LENGTH: str(len(document))}


def request(*parts, **more):
    return message("inputs", *parts, **more)


def exchange(asked, answered, target=V2):
    return posted(target, asked[0], answered[0], request_headers=asked[1], response_headers=answered[1])


X = raw("x", "FP32", [2, 2], [1.5, 2.0, 3.0, 4.0])
P = raw("p", "FP64", [2], [0.25, 0.75])


def spread(name, shape, values):
    width = math.prod(shape[1:])
    if width == 1:
        return {name: values}
    return {f"{name}[{i}]": values[i::width] for i in range(width)}


@st.composite
def tensor_sets(draw):
    rows = draw(st.integers(1, 4))
    found = []
    for i in range(draw(st.integers(1, 4))):
        datatype = draw(st.sampled_from([*LETTERS, "BYTES"]))
        shape = [rows, *draw(st.sampled_from([[], [1], [2], [3]]))]
        kind = st.text(max_size=5) if datatype == "BYTES" else values_of(LETTERS[datatype])
        size = math.prod(shape)
        values = draw(st.lists(kind, min_size=size, max_size=size))
        found.append((f"t{i}", datatype, shape, values, draw(st.booleans())))
    return found


@quick
@given(asked=tensor_sets(), answered=tensor_sets())
def test_any_tensors_are_read_as_they_were_written_raw_or_in_json(asked, answered):
    messages = []
    for member, found in (("inputs", asked), ("outputs", answered)):
        parts = [
            raw(name, datatype, shape, values) if binary else tensor(name, shape, values, datatype)
            for name, datatype, shape, values, binary in found
        ]
        messages.append(message(member, *parts, id="r", model_name="m"))
    inference = decode_exchange(exchange(*messages))
    assert inference.undecoded is None and inference.rows == asked[0][2][0]
    for columns_, found in ((inference.features, asked), (inference.outputs, answered)):
        expected = {
            k: v for name, _, shape, values, _ in found for k, v in spread(name, shape, values).items()
        }
        assert table(columns_) == expected


def test_a_body_cut_anywhere_is_read_or_has_a_reason():
    mixed = (X, tensor("n", [2], [1, 2], "INT64"), raw("s", "BYTES", [2, 1], ["ab", "Zürich"]))
    asked, answered = request(*mixed), message("outputs", P, raw("b", "BOOL", [2], [True, False]))
    for headers in (asked[1], {}, {"content-type": f"x/y+json;json-header-size={asked[1][LENGTH]}"}):
        for end in range(len(asked[0]) + 1):
            seen = exchange((asked[0][:end], headers), (answered[0][: end + 1], answered[1]))
            inference = decode_exchange(seen)
            assert inference.undecoded is not Undecoded.INTERNAL
            assert (inference.undecoded is None) == (end == len(asked[0])) or not headers
            assert all(len(column.values) == inference.rows for column in inference.features)


def test_a_json_request_may_get_a_binary_reply_and_the_other_way_round():
    seen = exchange(({}, {}), message("outputs", P, model_name="m", model_version="3", id="r"))
    seen.request.data = json.dumps({"inputs": [tensor("x", [2], [1, 2])]}).encode()
    inference = decode_exchange(seen)
    assert table(inference.features) == {"x": [1, 2]} and table(inference.outputs) == {"p": [0.25, 0.75]}
    assert (inference.model.version, inference.request_id) == ("3", "r")
    asked, headers = request(X)
    answer = {"model_name": "m", "outputs": [tensor("p", [2], [0, 1], "INT64")]}
    assert table(read(V2, asked, answer, request_headers=headers).outputs) == {"p": [0, 1]}


@pytest.mark.parametrize("target", [V2, INVOCATIONS])
@pytest.mark.parametrize(
    "media",
    [
        "application/vnd.sagemaker-triton.binary+json;json-header-size={}",
        "application/vnd.vertex-ai-triton.binary+json; json-header-size={}",
        'application/vnd.vertex-ai-triton.binary+json; json-header-size = "{}"; q=1',
    ],
)
def test_the_length_may_be_in_the_content_type(target, media):
    asked, headers = request(X)
    inference = refused(target, asked, request_headers={"content-type": media.format(headers[LENGTH])})
    assert table(inference.features) == {"x[0]": [1.5, 3.0], "x[1]": [2.0, 4.0]}
    assert inference.protocol == "v2"


@pytest.mark.parametrize("length", ["-1", "", "1e3", "0x10", "99999", "9" * 5000, "١٢", " 5"])
def test_a_length_that_is_none_or_more_than_there_is_is_a_matter_of_shape(length):
    asked, _ = request(X)
    assert read(V2, asked, b"", request_headers={LENGTH: length}).undecoded is Undecoded.SHAPE


@pytest.mark.parametrize(
    "target", ["/predict", "/v1/endpoints/1/deployedModels/2:predict", "/v1/endpoints/1:rawPredict"]
)
def test_triton_on_vertex_ai_is_told_by_its_media_type(target):
    media = "application/vnd.vertex-ai-triton.binary+json;json-header-size="
    asked, answered = request(X), message("outputs", P, model_name="m", model_version="2")
    seen = exchange(
        *((data, {"content-type": media + headers[LENGTH]}) for data, headers in (asked, answered)), target
    )
    inference = decode_exchange(seen)
    assert (inference.protocol, inference.model.name, inference.model.version) == ("v2", "m", "2")
    assert len(inference.features) == 2 and table(inference.outputs) == {"p": [0.25, 0.75]}


def test_a_body_of_one_raw_tensor_is_a_row_of_unknown_features():
    inference = read(V2, struct.pack("<2f", 1, 2), b"", request_headers={LENGTH: "0"}, status=503)
    assert (inference.rows, inference.features, inference.elsewhere) == (1, [], True)
    assert inference.undecoded is None and "not on the wire" in inference.evidence


def test_raw_tensors_are_found_when_the_length_got_lost():
    asked, _ = request(X, raw("s", "BYTES", [2], ["\x00{", "}"]))
    answered, _ = message("outputs", P, model_name="{Zürich}")
    inference = read(V2, asked, answered)
    assert inference.undecoded is None
    assert table(inference.features)["s"] == ["\x00{", "}"]
    assert table(inference.outputs) == {"p": [0.25, 0.75]} and inference.model.name == "m"


@pytest.mark.parametrize("junk", [b"{}", b"\x00\xff", b"]", b"x"])
def test_json_and_junk_that_no_size_explains_is_no_json(junk):
    asked = json.dumps({"inputs": [tensor("x", [1], [1])]}).encode()
    assert read(V2, asked + junk, b"").undecoded is Undecoded.NOT_JSON


@pytest.mark.parametrize("size", [17, 15, -1, True, "16", 1.0, 2**70, [16]])
def test_a_size_that_lies_is_a_matter_of_shape(size):
    asked, headers = request(({**X[0], "parameters": {"binary_data_size": size}}, X[1]))
    headers[LENGTH] = str(len(asked) - len(X[1]))
    inference = read(V2, asked, b"", request_headers=headers)
    assert inference.undecoded is Undecoded.SHAPE and inference.features == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": [2, 3]},
        {"shape": [2**40, 2**40]},
        {"shape": [2, -2]},
        {"shape": None},
        {"datatype": "FP8"},
        {"datatype": None},
        {"datatype": ["FP32"]},
        {"datatype": "BYTES"},
        {"name": 5},
    ],
)
def test_what_does_not_describe_its_bytes_has_a_reason_and_allocates_nothing(wrong):
    asked, headers = request(({**X[0], **wrong}, X[1]))
    seen = posted(V2, asked, b"", request_headers=headers)
    tracemalloc.start()
    assert decode_exchange(seen).undecoded in (Undecoded.SHAPE, Undecoded.TOO_MANY_ROWS)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_many_raw_tensors_are_too_wide():
    many = [raw(f"f{i}", "INT8", [1], [0]) for i in range(columns.MAX_COLUMNS + 1)]
    asked, headers = request(*many)
    assert read(V2, asked, b"", request_headers=headers).undecoded is Undecoded.TOO_WIDE


@pytest.mark.parametrize("odd", [{"inputs": 5}, {"inputs": [5]}, {"inputs": {}}, [], 5])
def test_what_is_no_request_is_none_with_raw_data_either(odd):
    document = json.dumps(odd).encode()
    headers = {LENGTH: str(len(document))}
    assert read(V2, document + b"\0\0", b"", request_headers=headers).undecoded is Undecoded.SHAPE


def test_bytes_that_belong_to_no_tensor_are_left():
    asked, headers = request(X)
    assert refused(V2, asked + b"\n", request_headers=headers).features


def test_raw_data_of_many_rows_is_an_array_from_the_body_to_the_column():
    rows = tensors.FEW_ROWS
    asked, headers = request(
        raw("x", "FP32", [rows, 2], [1.5] * 2 * rows),
        raw("b", "BOOL", [rows], [True, False] * (rows // 2)),
        raw("h", "FP16", [rows], [1.5] * rows),
    )
    seen = posted(V2, asked, request_headers=headers, status=503)
    dtypes = {column.name: column.values.dtype.str for column in decode_exchange(seen).features}
    assert dtypes == {"x[0]": "<f4", "x[1]": "<f4", "b": "|b1", "h": "<f2"}


def test_raw_data_of_few_rows_is_what_it_would_be_in_json():
    asked, headers = request(X, raw("b", "BOOL", [2], [True, False]), raw("h", "FP16", [2], [1.5, -2.0]))
    seen = posted(V2, asked, request_headers=headers, status=503)
    found = {column.name: column.values for column in decode_exchange(seen).features}
    assert found == {"x[0]": [1.5, 3.0], "x[1]": [2.0, 4.0], "b": [True, False], "h": [1.5, -2.0]}
    assert {type(value) for value in found["b"]} == {bool}


def test_a_raw_image_is_summarised():
    asked, headers = request(raw("image", "UINT8", [1, 3, 4, 4], [2] * 48))
    found = table(refused(V2, asked, request_headers=headers).features)
    assert found["image.mean"] == [2.0] and found["image.dimension"] == [48.0]
