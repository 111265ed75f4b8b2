"""One epoll, timers, and what is put off to the end of a turn."""

import socket
from collections.abc import Iterator

import pytest

from sidecar.relay.loop import READABLE, WRITABLE, Loop

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def faults() -> list[Exception]:
    return []


@pytest.fixture
def loop(faults: list[Exception]) -> Loop:
    return Loop(faults.append)


def test_whoever_is_ready_is_told_of_what_and_asked_again_until_it_is_seen_to(loop: Loop, ends: Ends) -> None:
    happened: list[int] = []
    loop.watch(ends[0].fileno(), READABLE, happened.append)
    loop.turn(0)
    assert happened == []
    ends[1].sendall(b"x")
    loop.turn(1)
    loop.turn(1)
    assert happened == [READABLE, READABLE]
    loop.watch(ends[0].fileno(), READABLE | WRITABLE, happened.append)
    loop.turn(1)
    assert happened[2:] == [READABLE | WRITABLE]


def test_a_cut_while_nothing_is_wanted_does_not_keep_the_loop_busy(loop: Loop, ends: Ends) -> None:
    happened: list[int] = []
    loop.watch(ends[0].fileno(), READABLE, happened.append)
    loop.watch(ends[0].fileno(), 0, happened.append)
    loop.watch(ends[0].fileno(), 0, happened.append)
    ends[1].close()
    for _ in range(20):
        loop.turn(0)
    assert happened == []
    loop.watch(ends[0].fileno(), WRITABLE, happened.append)
    loop.turn(1)
    assert happened[0] & ~WRITABLE  # and whoever wants anything hears of it


def test_one_that_is_let_go_by_another_in_the_same_turn_is_not_called(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called = []
    for ours, theirs in pairs:
        theirs.sendall(b"x")

        def handler(_events: int, mine: int = ours.fileno()) -> None:
            called.append(mine)
            for other, _ in pairs:
                if other.fileno() != mine:
                    loop.watch(other.fileno(), 0, handler)

        loop.watch(ours.fileno(), READABLE, handler)
    loop.turn(1)
    assert len(called) == 1
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_timers_ring_in_their_order_and_wake_a_wait_that_has_no_end(loop: Loop) -> None:
    rung: list[str] = []
    loop.later(0.02, lambda: rung.append("second"))
    loop.later(0.01, lambda: rung.append("first"))
    loop.later(0.015, lambda: rung.append("never")).cancel()
    loop.later(0.03, loop.stop)
    loop.run()
    assert rung == ["first", "second"]


def test_a_timer_may_set_the_next_one_and_one_that_is_due_rings_at_once(loop: Loop) -> None:
    rung: list[int] = []

    def again() -> None:
        rung.append(len(rung))
        if len(rung) < 5:
            loop.later(0, again)
        else:
            loop.stop()

    loop.later(0, again)
    loop.run()
    assert rung == [0, 1, 2, 3, 4]


def test_what_is_put_off_comes_before_any_waiting(loop: Loop) -> None:
    done: list[str] = []

    def first() -> None:
        done.append("first")
        loop.soon(lambda: done.append("second"))
        loop.soon(loop.stop)

    loop.soon(first)
    loop.run()
    assert done == ["first", "second"]


def test_a_fault_is_told_and_costs_nobody_else_a_turn(
    loop: Loop, ends: Ends, faults: list[Exception]
) -> None:
    def fails(*_: int) -> None:
        raise ValueError("ours")

    happened: list[int] = []
    loop.watch(ends[0].fileno(), WRITABLE, fails)
    loop.watch(ends[1].fileno(), WRITABLE, happened.append)
    loop.soon(fails)
    loop.later(0, fails)
    loop.soon(lambda: happened.append(-1))
    loop.turn(1)
    loop.watch(ends[0].fileno(), 0, fails)
    while len(faults) < 3:
        loop.turn(1)
    assert {WRITABLE, -1} <= set(happened)
    assert all(str(fault) == "ours" for fault in faults)
