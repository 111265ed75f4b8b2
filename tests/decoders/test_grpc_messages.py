"""A body of gRPC taken apart: any number of messages, compressed or not, within bounds."""

import gzip
import tracemalloc
import zlib
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders.grpc_messages import MAX_DECODED_BYTES, MAX_MESSAGES, split
from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.inference import Undecoded
from tests.decoders.protobuf_encoder import framed

quick = settings(max_examples=100, deadline=None)
# Without the time: bytes are a part of tests' names, and those must be the same in every process.
zipped = partial(gzip.compress, mtime=0)
CODINGS = {"gzip": zipped, "deflate": zlib.compress}


def parted(data, encoding=""):
    parts, problem = split(CapturedBody(data, len(data)), {"grpc-encoding": encoding} if encoding else {})
    return [part.data[part.start : part.end] for part in parts], problem and problem.reason


@quick
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_every_message_of_a_stream_is_found(messages):
    assert parted(framed(*messages)) == (messages, None)


@pytest.mark.parametrize("encoding", CODINGS)
def test_each_message_says_itself_whether_it_is_compressed(encoding):
    squeeze = CODINGS[encoding]
    body = framed(squeeze(b"one"), flag=1) + framed(b"two") + framed(squeeze(b""), flag=1)
    assert parted(body, encoding) == ([b"one", b"two", b""], None)


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "deflate", "zstd"])
def test_what_is_not_compressed_is_read_whatever_the_encoding(encoding):
    assert parted(framed(b"plain"), encoding) == ([b"plain"], None)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", zipped(b"x")),
        ("identity", zipped(b"x")),
        ("snappy", zipped(b"x")),
        ("gzip", zlib.compress(b"x")),
        ("deflate", zipped(b"x")),
        ("gzip", b""),
        ("gzip", zipped(b"x" * 100)[:-9]),
    ],
)
def test_a_message_that_cannot_be_uncompressed_is_of_a_bad_encoding(encoding, data):
    messages, reason = parted(framed(b"first") + framed(data, flag=1), encoding)
    assert messages[0] == b"first"
    assert reason is Undecoded.BODY_ENCODING


def test_a_flag_that_no_message_has_is_no_protobuf():
    assert parted(framed(b"x", flag=2)) == ([], Undecoded.NOT_PROTOBUF)


def test_a_body_that_was_not_kept_says_why():
    for problem, reason in ((BodyProblem.GAP, Undecoded.BODY_GAP), (None, Undecoded.EMPTY_BODY)):
        parts, found = split(CapturedBody(b"", 5, problem), {})
        assert parts == [] and found.reason is reason


@quick
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=3), st.data())
def test_a_body_cut_anywhere_has_its_first_messages_and_is_cut(messages, data):
    body = framed(*messages)
    at = data.draw(st.integers(1, len(body)))
    found, reason = parted(body[:at])
    assert b"".join(found) == b"".join(messages)[: len(b"".join(found))]
    ends = {len(framed(*messages[:count])) for count in range(1, len(messages) + 1)}
    assert reason is (None if at in ends else Undecoded.BODY_CUT)


@quick
@given(st.binary(max_size=60), st.sampled_from(["", "gzip", "deflate"]))
def test_any_bytes_are_parted_or_have_a_reason(data, encoding):
    found, _ = parted(data, encoding)
    assert all(len(message) <= MAX_DECODED_BYTES for message in found)


def test_a_stream_without_end_is_read_to_a_number_of_messages():
    found, reason = parted(framed(b"") * (MAX_MESSAGES + 1))
    assert len(found) == MAX_MESSAGES
    assert reason is Undecoded.STREAM


@pytest.mark.parametrize("pieces", [1, 20])
def test_a_bomb_is_read_to_its_room_over_all_messages(pieces):
    squeezed = gzip.compress(b"name" + bytes(60_000_000 // pieces))
    body = framed(*[squeezed] * pieces, flag=1)
    tracemalloc.start()
    found, reason = parted(body, "gzip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason is Undecoded.BODY_ENCODING
    assert found[0][:4] == b"name"
    assert sum(map(len, found)) <= MAX_DECODED_BYTES + 1
    assert peak < 6 * MAX_DECODED_BYTES


def test_a_small_body_may_become_large_and_a_large_one_in_proportion():
    assert parted(framed(gzip.compress(bytes(1_000_000)), flag=1), "gzip")[1] is None
    assert parted(framed(gzip.compress(bytes(2_000_000)), flag=1), "gzip")[1] is Undecoded.BODY_ENCODING
