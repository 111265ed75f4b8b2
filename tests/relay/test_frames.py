"""The relay knows where HTTP/2 frames begin, whatever the cuts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.relay.frames import PREFACE, Frames, Streams, begins


def frame(kind: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, b"", 0)
FRAMES = st.lists(st.tuples(st.sampled_from([0, 1, 4, 8, 9]), st.binary(max_size=60)), max_size=12)


def test_only_the_preface_begins_http2_from_a_client() -> None:
    assert begins(PREFACE + SETTINGS, from_client=True) is not None
    assert begins(b"GET / HTTP/1.1\r\n\r\n", from_client=True) is None
    assert begins(PREFACE[:10], from_client=True) is None


def test_only_settings_begin_http2_from_a_server() -> None:
    assert begins(SETTINGS, from_client=False) is not None
    assert begins(b"HTTP/1.1 200 OK\r\n\r\n", from_client=False) is None
    assert begins(b"\0\0", from_client=False) is None


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, cuts=st.lists(st.integers(1, 40), max_size=40), data=st.data())
def test_the_next_frame_is_known_after_any_cut(
    frames: list[tuple[int, bytes]], cuts: list[int], data: st.DataObject
) -> None:
    pieces = [frame(kind, payload) for kind, payload in frames]
    wire, walk, at = PREFACE + b"".join(pieces), Frames(len(PREFACE)), 0
    starts = [len(PREFACE)]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    for cut in [*cuts, len(wire)]:
        walk.pass_over(wire[at : at + cut])
        at = min(at + cut, len(wire))
        if walk.place is not None:
            assert walk.place in starts
            assert walk.place >= at or walk.place == starts[-1]
    assert walk.place == starts[-1]


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, cut=st.integers(1, 200))
def test_all_but_the_payload_of_data_is_kept(frames: list[tuple[int, bytes]], cut: int) -> None:
    wire = b"".join(frame(kind, payload) for kind, payload in frames)
    walk, kept = Frames(0), set()
    for at in range(0, len(wire), cut):
        for begin, end in walk.without_payloads(wire[at : at + cut]):
            kept |= set(range(at + begin, at + end))
    place = 0
    for kind, payload in frames:
        header, body = range(place, place + 9), range(place + 9, place + 9 + len(payload))
        assert kept.issuperset(header)
        if kind != 0:
            assert kept.issuperset(body)
        place += 9 + len(payload)


def test_a_large_data_frame_is_nearly_all_dropped() -> None:
    wire = frame(1, b"h" * 50) + frame(0, b"d" * 10_000) + frame(1, b"t" * 20)
    assert Frames(0).without_payloads(wire) == [(0, 59 + 9 + 6), (59 + 9 + 10_000, len(wire))]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_half_a_header_is_no_place(size: int) -> None:
    walk = Frames(0)
    walk.pass_over(SETTINGS + SETTINGS[:size])
    assert walk.place is None


HEADERS, DATA, RESET, END = 1, 0, 3, 1


def streams_after(*frames: tuple[bool, int, int, int]) -> set[int]:
    streams = Streams()
    for from_client, kind, flags, stream in frames:
        streams.frame(from_client, kind, flags, stream)
    return streams.open


def test_a_stream_is_open_from_its_headers_to_the_end_of_its_answer() -> None:
    asked = (True, HEADERS, END, 1)
    assert streams_after(asked) == {1}
    assert streams_after(asked, (False, HEADERS, 0, 1), (False, DATA, 0, 1)) == {1}
    assert streams_after(asked, (False, HEADERS, 0, 1), (False, DATA, END, 1)) == set()
    assert streams_after(asked, (False, HEADERS, END, 1)) == set()


def test_a_stream_that_either_side_resets_is_over() -> None:
    asked = (True, HEADERS, 0, 1)
    assert streams_after(asked, (True, RESET, 0, 1)) == set()
    assert streams_after(asked, (False, RESET, 0, 1)) == set()


def test_trailers_of_a_client_do_not_open_their_stream_again() -> None:
    asked, answered = (True, HEADERS, 0, 1), (False, HEADERS, END, 1)
    assert streams_after(asked, answered, (True, HEADERS, END, 1)) == set()


def test_what_a_client_still_uploads_after_its_answer_keeps_no_stream_open() -> None:
    assert streams_after((True, HEADERS, 0, 1), (False, HEADERS, END, 1), (True, DATA, 0, 1)) == set()


@pytest.mark.parametrize("server_first", [True, False])
def test_both_directions_know_the_same_streams(server_first: bool) -> None:
    if server_first:  # as gRPC servers do: their settings need not wait for the client's
        server = begins(SETTINGS, from_client=False)
        client = begins(PREFACE + SETTINGS, True, server)
    else:
        client = begins(PREFACE + SETTINGS, from_client=True)
        server = begins(SETTINGS, False, client)
    assert client is not None and server is not None
    client.pass_over(PREFACE + SETTINGS + frame(HEADERS, b"h"))
    assert server.streams.open == {1}
    server.pass_over(SETTINGS + frame(DATA, b"")[:4])
    assert not server.between and client.between
