"""Exchanges of one read go through the steps together; nothing of it shows in what is counted."""

from collections.abc import Iterator

import pytest

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, FrameError, Kind
from sidecar.config import Settings
from sidecar.exchange import Exchange
from sidecar.exporters.prometheus import render
from sidecar.inference import Inference
from sidecar.observer.pipeline import Pipeline

BODY = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1.5]}]}'
ANSWER = b'{"model_name": "m", "outputs": [{"name": "p", "datatype": "FP32", "shape": [1], "data": [1.0]}]}'


def conversation(number: int, exchanges: int, body: bytes = BODY) -> Iterator[Chunk]:
    """A connection with some exchanges, one after the other."""
    yield Chunk(Kind.OPEN, number, meta={"route": "r", "offsets": [0, 0], "new": True})
    sent = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    came = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
    for i in range(exchanges):
        yield Chunk(Kind.DATA, number, FROM_CLIENT, 1.0 + i, i * len(sent), sent)
        yield Chunk(Kind.DATA, number, FROM_SERVER, 1.5 + i, i * len(came), came)


def metrics(pipeline: Pipeline) -> list[str]:
    shown = render(pipeline.registry.snapshot(), process=False)[0].decode().splitlines()
    return [line for line in shown if "first_seen" not in line]


def test_a_read_of_many_chunks_counts_as_many_reads_of_one() -> None:
    at_once, one_by_one = Pipeline(Settings()), Pipeline(Settings())
    at_once.observer.feed(conversation(1, 300))
    for chunk in conversation(1, 300):
        one_by_one.observer.feed((chunk,))
    assert metrics(at_once) == metrics(one_by_one)
    assert at_once.registry.value("inference_rows_total") == 300


def test_what_came_before_a_link_broke_is_counted() -> None:
    pipeline = Pipeline(Settings())

    def broken() -> Iterator[Chunk]:
        yield from conversation(1, 3)
        raise FrameError("no frame")

    with pytest.raises(FrameError):
        pipeline.observer.feed(broken())
    assert pipeline.registry.value("inference_requests_total", outcome="ok") == 3


class Counting:
    """A monitor that only counts."""

    def __init__(self) -> None:
        self.seen = 0

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        self.seen += 1

    def tick(self, now: float) -> None:
        """Nothing to do."""


@pytest.mark.parametrize(("body", "together"), [(BODY, 128), (BODY + b" " * 300_000, 1)])
def test_few_exchanges_wait_for_each_other_and_large_ones_do_not(body: bytes, together: int) -> None:
    pipeline, counting = Pipeline(Settings()), Counting()
    pipeline.observer.monitors = (counting,)
    waiting = []

    def watched() -> Iterator[Chunk]:
        answered = 0
        for chunk in conversation(1, 256, body):
            waiting.append(answered - counting.seen)
            answered += chunk.kind is Kind.DATA and chunk.direction == FROM_SERVER
            yield chunk

    pipeline.observer.feed(watched())
    assert max(waiting) == together - 1 if together > 1 else max(waiting) <= 1
    assert counting.seen == 256
