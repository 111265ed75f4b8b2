"""Content codings undone, within bounds."""

import gzip
import subprocess
import sys
import tracemalloc
import zlib
from functools import partial

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exchange import BodyProblem
from sidecar.wire import coding as codings
from sidecar.wire.coding import Inflater, decode
from sidecar.wire.limits import Limits

LIMITS = Limits()
TEXT = b'{"instances": [[1.5, 2.5, 3.5]]}' * 20
MIB = 1024 * 1024
# An empty block in a frame that asks for a window of 128 MiB.
WIDE_WINDOW = b"\x28\xb5\x2f\xfd" + bytes([0x00, (27 - 10) << 3]) + b"\x01\x00\x00"
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def br(data: bytes) -> bytes:
    return brotli.compress(data, quality=4)


# Without the time: bytes are a part of tests' names, and those must be the same in every process.
zipped = partial(gzip.compress, mtime=0)
PACK = {"gzip": zipped, "deflate": zlib.compress, "br": br, "zstd": zstd.compress}
# Some 300 bytes of br, 6 kB of zstd, 200 kB of gzip, that stand for 200 MB.
BOMBS = {name: pack(bytes(200 * MIB)) for name, pack in PACK.items()}


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", zipped(TEXT)),
        ("x-gzip", zipped(TEXT)),
        ("GZip", zipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("br", br(TEXT)),
        ("zstd", zstd.compress(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
        ("deflate, gzip", zipped(zlib.compress(TEXT))),
        ("br, gzip", zipped(br(TEXT))),
        ("gzip, zstd", zstd.compress(zipped(TEXT))),
        ("gzip, identity", zipped(TEXT)),
        ("gzip", zipped(TEXT[:100]) + zipped(TEXT[100:])),
        ("gzip", zipped(TEXT) + bytes(100)),
        ("zstd", zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])),
        ("zstd", SKIPPABLE + zstd.compress(TEXT) + SKIPPABLE),
    ],
)
def test_codings_are_undone(coding, body):
    assert decode(body, coding, LIMITS) == (TEXT, None)


@pytest.mark.parametrize(
    ("coding", "body", "problem"),
    [
        ("gzip", zipped(TEXT)[:-1], BodyProblem.BAD_ENCODING),
        ("br", br(TEXT)[:-1], BodyProblem.BAD_ENCODING),
        ("zstd", zstd.compress(TEXT)[:-1], BodyProblem.BAD_ENCODING),
        ("gzip", zipped(TEXT) + b"junk", BodyProblem.BAD_ENCODING),
        ("br", br(TEXT) + b"junk", BodyProblem.BAD_ENCODING),
        ("zstd", zstd.compress(TEXT) + b"junk", BodyProblem.BAD_ENCODING),
        ("gzip", zipped(TEXT)[:-5] + b"12345", BodyProblem.BAD_ENCODING),
        ("gzip", TEXT, BodyProblem.BAD_ENCODING),
        ("deflate", TEXT, BodyProblem.BAD_ENCODING),
        ("br", TEXT, BodyProblem.BAD_ENCODING),
        ("br", zipped(TEXT), BodyProblem.BAD_ENCODING),
        ("zstd", TEXT, BodyProblem.BAD_ENCODING),
        ("zstd", WIDE_WINDOW, BodyProblem.BAD_ENCODING),
        ("gzip", zipped(b"") * 10_000, BodyProblem.BAD_ENCODING),
        ("zstd", zstd.compress(b"") * 10_000, BodyProblem.BAD_ENCODING),
        ("compress", TEXT, BodyProblem.UNKNOWN_ENCODING),
        ("gzip, gzip, gzip", TEXT, BodyProblem.UNKNOWN_ENCODING),
        (", ".join(["br"] * 20), TEXT, BodyProblem.UNKNOWN_ENCODING),
        ("gzip", BOMBS["gzip"], BodyProblem.EXPANDS_TOO_MUCH),
        ("br", BOMBS["br"], BodyProblem.EXPANDS_TOO_MUCH),
        ("zstd", BOMBS["zstd"], BodyProblem.EXPANDS_TOO_MUCH),
        ("gzip", zipped(bytes(2 * MIB)), BodyProblem.EXPANDS_TOO_MUCH),
        ("gzip, gzip", zipped(zipped(bytes(20 * MIB))), BodyProblem.EXPANDS_TOO_MUCH),
    ],
)
def test_a_body_that_cannot_be_decoded_within_bounds_has_a_reason_and_no_data(coding, body, problem):
    assert decode(body, coding, LIMITS) == (b"", problem)


@pytest.mark.parametrize("coding", PACK)
def test_a_body_that_expands_no_further_than_a_plain_one_may_go_is_read(coding):
    zeros = bytes(LIMITS.capture_bytes)
    assert decode(PACK[coding](zeros), coding, LIMITS) == (zeros, None)


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_is_stopped_while_it_is_decoded_and_not_after(coding):
    """What counts is memory, also where a library overshoots the limit that it is given."""
    decode(PACK[coding](b"warm"), coding, LIMITS)
    tracemalloc.start()
    assert decode(BOMBS[coding], coding, LIMITS)[1] is BodyProblem.EXPANDS_TOO_MUCH
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * LIMITS.decoded_bytes


@pytest.mark.parametrize("coding", PACK)
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=2_000), size=st.integers(1, 50))
def test_a_stream_inflates_to_the_same_whatever_the_pieces(coding, data, size):
    packed = PACK[coding](data)
    inflater = Inflater(coding, LIMITS)
    assert b"".join(inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size)) == data
    assert not inflater.failed


def test_a_stream_is_read_as_far_as_it_was_flushed():
    """Events must not wait for the end of the body."""
    packer, inflater = brotli.Compressor(quality=1), Inflater("br", LIMITS)
    for _ in range(3):
        assert inflater.feed(packer.process(b"data: {}\n\n") + packer.flush()) == b"data: {}\n\n"

    frames, inflater = zstd.ZstdCompressor(), Inflater("zstd", LIMITS)
    for _ in range(3):
        assert inflater.feed(frames.compress(b"data: {}\n\n", frames.FLUSH_BLOCK)) == b"data: {}\n\n"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_stream_may_be_a_member_for_each_event(coding):
    inflater = Inflater(coding, LIMITS)
    packed = PACK[coding](b"data: {}\n\n")
    for _ in range(200):
        assert inflater.feed(packed) == b"data: {}\n\n"
    assert inflater.feed(packed * 2) == b"data: {}\n\n" * 2


def test_a_stream_of_empty_members_ends():
    inflater = Inflater("gzip", LIMITS)
    assert inflater.feed(zipped(b"") * (LIMITS.events + 2)) == b""
    assert inflater.failed


@pytest.mark.parametrize("coding", PACK)
def test_a_stream_that_expands_too_much_stops(coding):
    inflater = Inflater(coding, LIMITS)
    output = inflater.feed(BOMBS[coding])
    assert inflater.failed
    assert len(output) <= LIMITS.decoded_bytes + 256 * 1024
    assert inflater.feed(b"more") == b""


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate", "x", ",,", "gzip,"]),
)
def test_no_bytes_make_decoding_raise(data, coding):
    output, problem = decode(data, coding, LIMITS)
    assert problem is None or output == b""
    Inflater(coding, LIMITS).feed(data)


@pytest.mark.parametrize("coding", PACK)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_found_or_bounded(coding, data):
    packed = bytearray(PACK[coding](TEXT))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    output, _ = decode(packed, coding, LIMITS)
    assert len(output) <= LIMITS.capture_bytes


def test_a_library_that_is_not_there_leaves_the_coding_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert decode(br(TEXT), "br", LIMITS) == (b"", BodyProblem.UNKNOWN_ENCODING)
    assert Inflater("br", LIMITS).feed(b"x") == b""


def test_the_libraries_are_loaded_when_they_are_needed():
    program = f"import sys, {codings.__name__}; print({{'brotli', 'backports.zstd'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
