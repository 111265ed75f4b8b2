"""What comes over the links of relay workers reaches the observer; how late it is decides what is read."""

import json
from collections.abc import Sequence

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind, encode
from sidecar.monitors.monitor import Monitor
from sidecar.monitors.traffic import Traffic
from sidecar.monitors.undecoded import UndecodedExchanges
from sidecar.observer.attribution import Attribution
from sidecar.observer.observer import Observer
from sidecar.observer.tee_server import Link, TeeServer
from sidecar.policy import Policies
from sidecar.registry import Registry
from sidecar.relay.counters import Counters

BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1.5]}]}
).encode()
REQUEST = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Case:
    """An observer, and links to it that carry exchanges of any age."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.observer = Observer(self.registry, Attribution(Policies()))
        monitors: Sequence[Monitor] = (Traffic(self.registry), UndecodedExchanges(self.registry))
        self.observer.monitors = monitors
        self.time = 1000.0
        self.server = TeeServer(self.observer, "@unused", lambda: self.time)
        self._serial = 0

    def link(self, worker: int) -> Link:
        link = Link(self.server)
        link.data_received(encode(Chunk(Kind.HELLO, worker << 40, meta={"worker": worker})))
        return link

    def exchange(self, link: Link, worker: int, age: float) -> None:
        self._serial += 1
        connection, time = (worker << 40) + self._serial, self.time - age
        meta = {"route": "r", "upstream": "u", "offsets": [0, 0], "new": True}
        for chunk in (
            Chunk(Kind.OPEN, connection, time=time, meta=meta),
            Chunk(Kind.DATA, connection, FROM_CLIENT, time, 0, REQUEST),
            Chunk(Kind.DATA, connection, FROM_SERVER, time, 0, ANSWER),
            Chunk(Kind.CLOSE, connection, time=time),
        ):
            link.data_received(encode(chunk))

    def stats(self, link: Link, worker: int, dropped: int) -> None:
        counters = Counters()
        counters.dropped_chunks["observer_behind"] = dropped
        chunk = Chunk(Kind.STATS, worker << 40, time=self.time, meta=counters.report())
        link.data_received(encode(chunk))

    def counted(self) -> float:
        return self.registry.value("inference_requests_total")

    def left_unread(self) -> float:
        return self.registry.value("sidecar_exchanges_undecoded_total", reason="overload")


def test_payloads_are_read_while_chunks_are_fresh() -> None:
    case = Case()
    link = case.link(1)
    case.exchange(link, 1, age=0.01)
    assert case.counted() == 1
    assert case.left_unread() == 0


def test_an_observer_that_stays_behind_counts_every_exchange_and_reads_no_payload() -> None:
    case = Case()
    link = case.link(1)
    for _ in range(10):
        case.exchange(link, 1, age=2.0)
        case.time += 0.3
    assert case.counted() == 10
    assert case.left_unread() == 9
    assert case.registry.value("inference_request_duration_seconds", outcome="ok") == 10


def test_one_link_that_is_behind_is_enough_and_others_do_not_hide_it() -> None:
    case = Case()
    late, fresh = case.link(1), case.link(2)
    for _ in range(3):
        case.exchange(late, 1, age=2.0)
        case.exchange(fresh, 2, age=0.0)
        case.time += 0.3
    assert case.left_unread() > 0
    assert case.server.lag == 2.0


def test_a_link_that_is_gone_is_not_late_any_more() -> None:
    case = Case()
    late = case.link(1)
    case.exchange(late, 1, age=2.0)
    late.connection_lost(None)
    assert case.server.lag == 0.0


def test_an_old_gap_is_not_lateness() -> None:
    case = Case()
    link = case.link(1)
    gap = Chunk(Kind.GAP, (1 << 40) + 1, time=case.time - 60, offset=0, length=10, until=case.time)
    link.data_received(encode(gap))
    assert case.server.lag == 0.0


def test_drops_at_the_relay_are_taken_as_being_behind() -> None:
    case = Case()
    link = case.link(1)
    case.stats(link, 1, dropped=7)  # before our time, or while we started
    case.exchange(link, 1, age=0.0)
    assert case.left_unread() == 0
    case.stats(link, 1, dropped=8)
    case.exchange(link, 1, age=0.0)
    assert case.left_unread() == 1
    case.time += 3
    case.stats(link, 1, dropped=8)
    case.exchange(link, 1, age=0.0)
    assert case.left_unread() == 1
    assert case.counted() == 3


def test_bytes_that_are_no_frames_do_not_raise() -> None:
    case = Case()
    case.link(1).data_received(b"GET / HTTP/1.1\r\n\r\n" * 10)
    assert case.counted() == 0
