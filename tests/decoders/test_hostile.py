"""Hostile and broken bodies: read within bounds or counted with a reason, whichever decoder gets them."""

import tracemalloc
from typing import Any

import pytest

from sidecar import catalog, decoders
from sidecar.config import Settings
from sidecar.exchange import StreamEvent
from sidecar.inference import Undecoded
from sidecar.observer.pipeline import Pipeline
from tests.decoders.hostile import BINARY, NUMBERS_AND_TEXT, PROTOBUF, ROWS, TENSORS
from tests.decoders.reading import posted
from tests.decoders.test_conformance import PATHS, check

# Beside what the body takes while it is a document: 15 to 60 bytes for each of its own, as Python goes.
EXTRA_BYTES = 10_000_000
BYTES_EACH = 60

# What the JSON readers of rows make of each body: a reason, or rows and columns.
READ_AS: dict[str, Any] = {
    "depth 1,000": (1, 0),
    "depth 1,025": "too_deep",
    "depth a million": "too_deep",
    "NaN": (1, 1),
    "Infinity": (1, 1),
    "1e999": (1, 1),
    "an integer of 4,301 digits": (1, 1),
    "200 integers of 4,300 digits": (200, 1),
    "2 to the 64": (1, 1),
    "-0 and a subnormal": (1, 2),
    "duplicate keys": (1, 1),
    "a lone surrogate": (1, 1),
    "a byte order mark": (1, 1),
    "invalid UTF-8": "not_json",
    "a NUL": "not_json",
    "a trailing comma": "not_json",
    "a megabyte of 1,": "too_many_rows",
    "20,000 keys": "too_wide",
    "two documents": "not_json",
    "nothing": "empty_body",
    "white space": "empty_body",
    "true for a number": (2, 1),
    "texts for numbers": (3, 1),
    "names of another world": (1, 4),
    "a name of a megabyte": (1, 1),
    "names that look alike": (1, 5),
    "utf-16": (1, 1),
    "ragged rows": (3, 2),
    "rows of two kinds": "shape",
    "a million columns": (1, 4),
    "half a million rows": "too_many_rows",
    "mixed order": (2, 2),
    "a pickle": "not_json",
}
# What the reader of Open Inference tensors makes of its own.
V2_READ_AS: dict[str, Any] = {
    "fewer values than the shape": "shape",
    "more values than the shape": "shape",
    "a negative size": "shape",
    "no size": "no_rows",
    "true for a size": "shape",
    "half a size": "shape",
    "sizes whose product overflows": "too_many_rows",
    "2 to the 40 values in 4 bytes": "shape",
    "rank 10,000": (1, 4),
    "a datatype nobody knows": (1, 1),
    "the same name twice": (1, 1),
    "a name of 10 kB": "too_wide",
    "no name": (1, 1),
    "a shape that is a text": "shape",
    "inputs that are numbers": "shape",
    "200 tensors of a matrix": (1, 800),
    "a negative size of raw data": "shape",
    "more raw data than there is": "shape",
    "raw data of a size that is a text": "shape",
    "raw data shorter than the shape": "too_many_rows",
    "a text longer than the body": "shape",
    "a header longer than the body": "shape",
    "a header of no length": "shape",
    "a header of a negative length": "shape",
}
# What every reader of gRPC makes of bytes that are wrong below the level of its messages.
GRPC_READ_AS = {
    "110,000 unknown fields": "too_wide",
    "a field that claims 2 to the 31 bytes": "not_protobuf",
    "a number of 11 bytes": "not_protobuf",
    "a message of 2 to the 32 bytes": "body_cut",
    "a compressed message without a coding": "body_encoding",
    "a flag of 7": "not_protobuf",
    "50,000 empty messages": "stream",
    "a map of 100,000 keys": "too_wide",
    "a group": "not_protobuf",
}
READ_GRPC = [name for name in PATHS if name.endswith("-grpc")]


def asked(decoder: str, row: str, **more: Any):
    """A request that this decoder claims, and the answer says nothing."""
    body, headers = ROWS[row]
    target, content_type = PATHS[decoder]
    claim = decoders.claim("POST", target, {"content-type": content_type})
    seen = posted(target, body, b"", status=204, request_headers=headers, **more)
    return seen, claim


def read_as(decoder: str, row: str) -> Any:
    inference = decoders.decode(*asked(decoder, row))
    if inference.undecoded is not None:
        return inference.undecoded.value
    return inference.rows, len(inference.features)


def test_no_row_is_forgotten():
    assert set(READ_AS) == set(NUMBERS_AND_TEXT)
    assert set(TENSORS) | set(BINARY) <= set(V2_READ_AS) <= set(ROWS)
    assert set(GRPC_READ_AS) <= set(PROTOBUF)


@pytest.mark.parametrize("row", READ_AS)
@pytest.mark.parametrize("decoder", ["v1", "mlflow", "json"])
def test_rows_in_json_are_read_or_have_this_reason(decoder, row):
    assert read_as(decoder, row) == READ_AS[row]


@pytest.mark.parametrize("row", V2_READ_AS)
def test_tensors_are_read_or_have_this_reason(row):
    assert read_as("v2", row) == V2_READ_AS[row]


@pytest.mark.parametrize("row", GRPC_READ_AS)
@pytest.mark.parametrize("decoder", READ_GRPC)
def test_messages_are_read_or_have_this_reason(decoder, row):
    assert read_as(decoder, row) == GRPC_READ_AS[row]


@pytest.mark.parametrize("row", ROWS)
def test_whoever_gets_it_every_body_is_counted_once_and_costs_little(row):
    """As a request and as an answer, through the whole pipeline."""
    body, pipeline = ROWS[row][0], Pipeline(Settings())
    value, seen_so_far = pipeline.registry.value, 0
    for decoder, (target, content_type) in PATHS.items():
        head = {"content-type": content_type}
        for request_, answer in ((body, b"{}"), (b"{}", body)):
            seen = posted(target, request_, answer, request_headers=head, response_headers=ROWS[row][1])
            tracemalloc.start()
            try:
                pipeline.observer.observe(seen)
                pipeline.rows.flush()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            seen_so_far += 1
            assert peak < EXTRA_BYTES + BYTES_EACH * len(body), decoder
            assert value(catalog.REQUESTS.name) == seen_so_far, decoder
            undecoded = [value(catalog.UNDECODED.name, reason=reason.value) for reason in Undecoded]
            assert value(catalog.UNDECODED.name) == sum(undecoded) <= seen_so_far
            assert value(catalog.UNDECODED.name, reason="internal") == 0, decoder


@pytest.mark.parametrize("decoder", PATHS)
def test_a_hundred_thousand_events_are_read_or_have_a_reason(decoder):
    """Live streams are cut at some 4,000; recorded ones are not."""
    target, content_type = PATHS[decoder]
    events = [
        StreamEvent(1.0, data) for data in (b"{}", b"[1]", b"\xff", b'{"error":"x"}') for _ in range(5_000)
    ]
    head = {"content-type": content_type}
    seen = posted(target, b"{}", b"", streamed=True, events=events * 5, request_headers=head)
    check(decoders.decode(seen, decoders.claim("POST", target, head)))
