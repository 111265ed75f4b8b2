"""A megabyte of raw tensors behind JSON, as `benchmarks.decode` reads it.

About a megabyte each: features, a picture in floats, pictures in bytes, embeddings, texts. Texts are
Python objects in the end, one by one: they are what the others are to be compared with.
"""

import json
import math
import random
import struct

CASES: dict[str, tuple[str, list[int]]] = {
    "FP32 features": ("FP32", [21_845, 12]),
    "FP64 features": ("FP64", [10_922, 12]),
    "FP32 picture": ("FP32", [1, 3, 296, 296]),
    "UINT8 pictures": ("UINT8", [7, 3, 224, 224]),
    "FP16 embeddings": ("FP16", [1_365, 384]),
    "BF16 embeddings": ("BF16", [1_365, 384]),
    "texts": ("BYTES", [80_000, 1]),
}
HEADER = "inference-header-content-length"

_WIDTHS = {"FP64": 8, "FP32": 4, "FP16": 2, "BF16": 2, "UINT8": 1}
_NUMBERS = 4_096

Message = tuple[bytes, dict[str, str]]


def messages(case: str) -> tuple[Message, Message]:
    """A request with one raw tensor and an answer with one raw score a row; each with its headers."""
    datatype, shape = CASES[case]
    scores = bytes(4 * shape[0])
    return _message("inputs", datatype, shape, _data(datatype, shape)), _message(
        "outputs", "FP32", shape[:1], scores
    )


def _message(member: str, datatype: str, shape: list[int], data: bytes) -> Message:
    parameters = {"binary_data_size": len(data)}
    tensor = {"name": member, "shape": shape, "datatype": datatype, "parameters": parameters}
    document = json.dumps({"model_name": "m", member: [tensor]}).encode()
    return document + data, {HEADER: str(len(document))}


def _data(datatype: str, shape: list[int]) -> bytes:
    if datatype == "BYTES":
        return struct.pack("<I9s", 9, b"category7") * shape[0]
    size = _WIDTHS[datatype] * math.prod(shape)
    numbers = random.Random(7)
    if datatype in ("FP32", "FP64"):
        letter = "f" if datatype == "FP32" else "d"
        some = struct.pack(f"<{_NUMBERS}{letter}", *[numbers.gauss(0, 10) for _ in range(_NUMBERS)])
        return (some * (size // len(some) + 1))[:size]
    # Random halves are now and then infinite or subnormal, which costs: bytes that make ordinary ones.
    return bytes(numbers.choices(b"\x3c\x3e\x40\x42", k=size))
