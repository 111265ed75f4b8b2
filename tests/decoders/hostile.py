"""Requests that mean harm, or come from broken clients: what each is called, and its bytes.

One list for every decoder: a tensor that lies goes to the JSON readers too, and deep JSON to those of gRPC.
"""

import json
import struct
from typing import Any

from tests.decoders.grpc_calls import tensor as grpc_tensor
from tests.decoders.protobuf_encoder import bytes_field, framed, key, varint
from tests.decoders.reading import tensor

JSON = {"content-type": "application/json"}
GRPC = {"content-type": "application/grpc"}
HEADER_LENGTH = "inference-header-content-length"


def instances(text: str | bytes) -> bytes:
    return b'{"instances":[' + (text.encode() if isinstance(text, str) else text) + b"]}"


def document(value: Any) -> bytes:
    return json.dumps(value).encode()


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


NUMBERS_AND_TEXT = {
    "depth 1,000": instances(_nested(1_000)),
    "depth 1,025": instances(_nested(1_025)),
    "depth a million": b"[" * 1_000_000,
    "NaN": instances('{"a":NaN}'),
    "Infinity": instances('{"a":-Infinity}'),
    "1e999": instances('{"a":1e999}'),
    "an integer of 4,301 digits": instances('{"a":' + "9" * 4_301 + "}"),
    "200 integers of 4,300 digits": instances(b",".join([b"9" * 4_300] * 200)),
    "2 to the 64": instances('{"a":18446744073709551616}'),
    "-0 and a subnormal": instances('{"a":-0.0,"b":1e-320}'),
    "duplicate keys": instances('{"a":1,"a":2}'),
    "a lone surrogate": instances('{"a":"\\ud800"}'),
    "a byte order mark": b"\xef\xbb\xbf" + instances('{"a":1}'),
    "invalid UTF-8": instances(b'{"a":"\xff\xfe"}'),
    "a NUL": instances(b'{"a":"\x00"}'),
    "a trailing comma": instances('{"a":1},'),
    "a megabyte of 1,": instances(b"1," * 500_000 + b"1"),
    "20,000 keys": document({"instances": [{str(i): 1 for i in range(20_000)}]}),
    "two documents": instances("1") * 2,
    "nothing": b"",
    "white space": b" \n\t " * 1_000,
    "true for a number": instances('{"a":true},{"a":1}'),
    "texts for numbers": instances('{"a":"1.5"},{"a":"nan"},{"a":""}'),
    "names of another world": document({"instances": [{"__proto__": 1, "__class__": 2, "{}": 3, "": 4}]}),
    "a name of a megabyte": document({"instances": [{"k" * 1_000_000: 1}]}),
    "names that look alike": document({"instances": [{"é": 1, "e\u0301": 2, "a": 3, "a ": 4, "\u202ea": 5}]}),
    "utf-16": instances('{"a":1}').decode().encode("utf-16"),
    "ragged rows": document({"instances": [[1, 2], [3], []]}),
    "rows of two kinds": document({"instances": [[1, 2], {"a": 1}]}),
    "a million columns": document({"instances": [[0] * 400_000]}),
    "half a million rows": instances(b"0," * 499_999 + b"0"),
    "mixed order": document({"instances": [{"a": 1, "b": 2}, {"b": 3, "a": 4}]}),
    "a pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
}


def _v2(*tensors: dict[str, Any]) -> bytes:
    return document({"inputs": list(tensors)})


TENSORS = {
    "fewer values than the shape": _v2(tensor("x", [3], [1])),
    "more values than the shape": _v2(tensor("x", [1], [1, 2, 3])),
    "a negative size": _v2(tensor("x", [-1], [1])),
    "no size": _v2(tensor("x", [0], [])),
    "true for a size": _v2(tensor("x", [True], [1])),
    "half a size": _v2(tensor("x", [1.5], [1])),
    "sizes whose product overflows": _v2(tensor("x", [2**40, 2**40], [1])),
    "2 to the 40 values in 4 bytes": _v2(tensor("x", [1, 2**40], [1])),
    "rank 10,000": _v2(tensor("x", [1] * 10_000, [1])),
    "a datatype nobody knows": _v2(tensor("x", [1], [1], "FP12")),
    "the same name twice": _v2(tensor("x", [1], [1]), tensor("x", [1], [2])),
    "a name of 10 kB": _v2(tensor("x" * 10_000, [1, 2], [1, 2])),
    "no name": _v2(tensor("", [1], [1])),
    "a shape that is a text": _v2({**tensor("x", [1], [1]), "shape": "[1]"}),
    "inputs that are numbers": document({"inputs": [1, 2, 3]}),
    "200 tensors of a matrix": _v2(*[tensor(str(i), [1, 900], [0] * 900) for i in range(200)]),
}


def _binary(
    size: Any, raw: bytes = b"\0\0\x80\x3f", shape: tuple[int, ...] = (1,), datatype: str = "FP32"
) -> bytes:
    member = {
        "name": "x",
        "shape": list(shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": size},
    }
    return document({"inputs": [member]}) + raw


BINARY = {
    "a negative size of raw data": _binary(-4),
    "more raw data than there is": _binary(2**40),
    "raw data of a size that is a text": _binary("4"),
    "raw data shorter than the shape": _binary(4, shape=(1_000_000,)),
    "a text longer than the body": _binary(8, struct.pack("<I", 2**32 - 1) + b"abcd", datatype="BYTES"),
}
PROTOBUF = {
    "101 messages in each other": b"",
    "110,000 unknown fields": framed((key(999, 0) + b"\x01") * 110_000),
    "a field that claims 2 to the 31 bytes": framed(key(5, 2) + varint(2**31)),
    "a number of 11 bytes": framed(key(1, 0) + b"\xff" * 10 + b"\x01"),
    "a message of 2 to the 32 bytes": b"\x00\xff\xff\xff\xff",
    "a compressed message without a coding": framed(b"abc", flag=1),
    "a flag of 7": framed(b"abc", flag=7),
    "50,000 empty messages": framed(b"") * 50_000,
    "a map of 100,000 keys": framed(
        b"".join(bytes_field(2, bytes_field(1, str(i)) + bytes_field(2, b"")) for i in range(100_000))
    ),
    "a tensor of 2 to the 40 in no bytes": framed(grpc_tensor("x", "FP32", [2**40]) + bytes_field(7, b"")),
    "a tensor whose sizes overflow": framed(
        grpc_tensor("x", "FP32", [2**40, 2**40]) + bytes_field(7, b"1234")
    ),
    "raw text longer than its tensor": framed(
        grpc_tensor("x", "BYTES", [1]) + bytes_field(7, struct.pack("<I", 2**31) + b"ab")
    ),
    "a group": framed(key(1, 3) * 1_000),
}


def _message_in_message(depth: int) -> bytes:
    found = b""
    for _ in range(depth):
        found = bytes_field(3, bytes_field(3, found))
    return found


PROTOBUF["101 messages in each other"] = framed(_message_in_message(101))
LIES = {"JSON called protobuf": (instances("1"), GRPC), "protobuf called JSON": (framed(b"\x0a\x01m"), JSON)}

Row = tuple[bytes, dict[str, str]]
ROWS: dict[str, Row] = {
    **{name: (body, JSON) for name, body in {**NUMBERS_AND_TEXT, **TENSORS}.items()},
    **{name: (body, {**JSON, HEADER_LENGTH: str(body.rindex(b"}") + 1)}) for name, body in BINARY.items()},
    "a header longer than the body": (_binary(4), {**JSON, HEADER_LENGTH: "999999"}),
    "a header of no length": (_binary(4), {**JSON, HEADER_LENGTH: "many"}),
    "a header of a negative length": (_binary(4), {**JSON, HEADER_LENGTH: "-1"}),
    **{name: (body, GRPC) for name, body in PROTOBUF.items()},
    **LIES,
    "utf-16 that says so": (NUMBERS_AND_TEXT["utf-16"], {"content-type": "application/json; charset=utf-16"}),
}
