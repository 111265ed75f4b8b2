"""Any bytes, in any pieces, in any order of turns, ended in any way: equal at both ends."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.transparency.conftest import Paths
from tests.transparency.talk import Await, Cut, Finish, Read, Rest, Send, Step, Tell

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
ENDS = ("client", "server")
PIECES = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\nHost: m\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"\r\n",
            b"x" * 70_000,
        ]
    ),
)
TURNS = st.lists(st.tuples(st.sampled_from(ENDS), PIECES), max_size=12)


def other(end: str) -> str:
    return ENDS[1 - ENDS.index(end)]


def in_turns(turns: list[tuple[str, bytes]], finished: dict[str, int]) -> dict[str, list[Step]]:
    """Each piece is read whole by the other end before the next is sent; ends half-close at their turn."""
    scripts: dict[str, list[Step]] = {end: [] for end in ENDS}
    closed: set[str] = set()
    for number, (end, piece) in enumerate(turns):
        for name in ENDS:
            if finished[name] == number and name not in closed:
                closed.add(name)
                scripts[name] += [Finish(), Tell(f"{name} finished")]
        if end not in closed:
            scripts[end] += [Send(piece), Await(f"turn {number}")]
            scripts[other(end)] += [Read(len(piece)), Tell(f"turn {number}")]
    for name in ENDS:
        if name not in closed:
            scripts[name].append(Finish())
        scripts[name].append(Rest())
    return scripts


@settings(max_examples=150, deadline=None, suppress_health_check=CHECKS)
@given(turns=TURNS, client_ends=st.integers(0, 12), server_ends=st.integers(0, 12))
async def test_pieces_in_turns_with_a_half_close_at_any_point(
    paths: Paths, turns: list[tuple[str, bytes]], client_ends: int, server_ends: int
):
    scripts = in_turns(turns, {"client": client_ends, "server": server_ends})
    await paths.same(scripts["client"], scripts["server"])


@settings(max_examples=75, deadline=None, suppress_health_check=CHECKS)
@given(up=st.lists(PIECES, max_size=10), down=st.lists(PIECES, max_size=10))
async def test_both_ends_talk_at_the_same_time(paths: Paths, up: list[bytes], down: list[bytes]):
    client = [*map(Send, up), Finish(), Rest()]
    server = [*map(Send, down), Finish(), Rest()]
    at_client, at_server = await paths.same(client, server)
    assert (at_client.data, at_server.data) == (b"".join(down), b"".join(up))


@settings(max_examples=75, deadline=None, suppress_health_check=CHECKS)
@given(turns=TURNS, cutting=st.sampled_from(ENDS), half_closed=st.booleans())
async def test_a_reset_after_any_traffic_arrives_after_the_bytes_before_it(
    paths: Paths, turns: list[tuple[str, bytes]], cutting: str, half_closed: bool
):
    """The last piece is not confirmed: the reset follows right behind it."""
    scripts = in_turns(turns, {"client": 99, "server": 99})
    for end in ENDS:
        scripts[end] = scripts[end][:-2]  # no orderly end
    scripts[cutting] += [Send(b"last words"), Await("heard"), Cut()]
    if half_closed:
        scripts[other(cutting)].append(Finish())
    scripts[other(cutting)] += [Read(10), Tell("heard"), Rest()]
    await paths.same(scripts["client"], scripts["server"])
