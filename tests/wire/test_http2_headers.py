"""Header blocks: what is read of them, and what one that is lost costs."""

import logging

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.wire.http2_headers import MAX_TABLE_BYTES, HeaderBlocks
from sidecar.wire.limits import Budget, Limits

ASKED = {
    ":method": "POST",
    ":path": "/a",
    "content-type": "application/grpc",
    "authorization": "Bearer s3cret",
}


def reader(room: int = 1_000_000, **limits: int) -> HeaderBlocks:
    return HeaderBlocks(Limits(**limits), Budget(room))


def test_only_the_fields_that_are_kept_are_kept():
    blocks = reader()
    fields = blocks.read(hpack.Encoder().encode(list(ASKED.items())))
    assert (fields.method, fields.target, fields.status) == ("POST", "/a", None)
    assert fields.kept == {"content-type": "application/grpc"}


def test_a_secret_is_never_in_what_is_remembered_nor_in_the_log(caplog):
    encoder, blocks = hpack.Encoder(), reader()
    said = [encoder.encode(list(ASKED.items())) for _ in range(3)]
    # As a client that says its token in full each time, behind references.
    said += [said[-1] + b"\x10\x0dauthorization\x06s3cret"] * 2
    caplog.set_level(logging.DEBUG)
    for block in said:
        assert blocks.read(block) is not None
    remembered = (blocks._remembered, blocks._begun, blocks._table._entries)
    assert "s3cret" not in repr(remembered) and "s3cret" not in caplog.text


def test_the_same_block_means_something_else_once_the_table_has_changed():
    encoder, blocks = hpack.Encoder(), reader()
    blocks.read(encoder.encode([("x-request-id", "first")]))
    reference = encoder.encode([("x-request-id", "first")])
    assert blocks.read(reference).kept == blocks.read(reference).kept == {"x-request-id": "first"}
    blocks.read(encoder.encode([("x-request-id", "second")]))
    assert blocks.read(reference).kept == {"x-request-id": "second"}


def test_what_a_block_begins_with_means_something_else_once_the_table_has_changed():
    encoder, blocks = hpack.Encoder(), reader()
    spelt_out = b"\x00\x01x\x01y"
    for id in ("first", "second", "third"):
        blocks.read(encoder.encode([("x-request-id", id)]))
        reference = encoder.encode([("x-request-id", id)])
        for _ in range(2):
            assert blocks.read(reference + spelt_out).kept == {"x-request-id": id}


def test_what_a_block_spells_out_counts_besides_what_it_refers_to():
    blocks = reader()
    blocks.read(hpack.Encoder().encode([("x-request-id", "first")]))
    for id in (b"a", b"b"):
        fields = blocks.read(b"\x83\xbe\x00\x0cx-request-id\x01" + id)
        assert (fields.method, fields.kept) == ("POST", {"x-request-id": f"first, {id.decode()}"})
    assert blocks.read(b"\xbe").kept == {"x-request-id": "first"}


def test_what_is_remembered_of_blocks_is_little_and_short():
    blocks = reader()
    for length in range(300):
        blocks.read(b"\x82" * length)
        blocks.read(b"\x82" * length + b"\x00\x01x\x01y")
    for remembered in (blocks._remembered, blocks._begun):
        assert 0 < len(remembered) <= 65 and max(map(len, remembered)) <= 64


def test_after_a_block_that_was_lost_no_reference_is_guessed():
    encoder, blocks = hpack.Encoder(), reader()
    first, second = (encoder.encode([(":path", path)]) for path in ("/a", "/b"))
    third = encoder.encode([(":path", "/b")])
    assert blocks.read(first).target == "/a"
    blocks.lose()
    assert blocks.read(second) is None and blocks.read(third) is None


def test_the_table_may_grow_only_as_far_as_the_other_side_has_allowed():
    for allowed, readable in ((4096, False), (8192, True)):
        encoder, blocks = hpack.Encoder(), reader()
        blocks.allow(allowed)
        encoder.header_table_size = 8192
        assert (blocks.read(encoder.encode([(":path", "/a")])) is not None) is readable


def test_a_sender_may_use_the_larger_table_until_it_has_heard_of_the_smaller():
    encoder, blocks = hpack.Encoder(), reader()
    blocks.allow(0)
    assert blocks.read(encoder.encode([(":path", "/a")])).target == "/a"


def test_no_peer_makes_the_table_larger_than_we_bear():
    blocks = reader()
    blocks.allow(2**32 - 1)
    assert blocks.read(b"\x3f\xe1\x7f") is not None  # 16,384
    assert blocks.read(b"\x3f\xe2\x7f") is None
    assert MAX_TABLE_BYTES == 16_384


def test_tables_are_paid_for_and_given_back():
    budget = Budget(100_000)
    blocks = HeaderBlocks(Limits(), budget)
    encoder = hpack.Encoder()
    blocks.read(encoder.encode([(f"x-{i}", "v" * 40) for i in range(20)]))
    assert budget.used > 20 * 40
    blocks.drop()
    assert budget.used == 0
    poor = reader(room=100)
    assert poor.read(hpack.Encoder().encode([("x-a", "v" * 40)])) is not None
    assert poor.lost


BOMBS = {
    "one entry, a thousand times": hpack.Encoder().encode([("x", "v" * 3000)]) + b"\xbe" * 60_000,
    "empty fields": b"\x00\x00\x00" * 20_000,
    "an integer without end": b"\x7f" + b"\xff" * 60_000,
    "a text that is not there": b"\x00\x7f\xff\xff\x7f",
    "an entry that is not there": b"\xff\xff\x03",
    "index nought": b"\x80",
    "a size in the middle": b"\x82\x20",
    "bad huffman": b"\x00\x84\xff\xff\xff\xff\x00",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_block_out_of_bounds_loses_the_table(bomb):
    budget = Budget(1_000_000)
    blocks = HeaderBlocks(Limits(), budget)
    assert blocks.read(bomb) is None
    assert blocks.lost and budget.used == 0


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_blocks_are_read_or_lose_the_table(pieces):
    budget = Budget(100_000)
    blocks = HeaderBlocks(Limits(), budget)
    for piece in pieces:
        assert (blocks.read(piece) is None) <= blocks.lost
    blocks.drop()
    assert budget.used == 0
