"""The whole observer fed from memory: frames of the tee → exchanges → inferences → monitors, one core.

    python -m benchmarks.observer [--exchanges 20000] [--only grpc] [--profile]

Each exchange asks about 2 rows × 12 features by the Open Inference Protocol, in JSON or over gRPC (one tensor
of shape [2, 12], or one tensor a feature), on 16 connections that stay. Prints exchanges a second and what
they cost.
"""

import argparse
import cProfile
import json
import pstats
import random
import time
from collections.abc import Callable, Iterator

from benchmarks import decode_grpc as encode_grpc
from benchmarks.grpc_calls import Calls
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, FrameReader, Kind, encode
from sidecar.config import Settings
from sidecar.observer import garbage
from sidecar.observer.pipeline import Pipeline

CONNECTIONS = 16
FEATURES = 12
# Enough different bodies to defeat caches without costing the benchmark its time.
BODIES = 256

Rows = list[list[float]]
Bodies = list[tuple[bytes, bytes]]


class Keptalive:
    """One HTTP/1 connection: what is said there is its bodies with heads."""

    def request(self, body: bytes) -> bytes:
        head = (
            "POST /v2/models/m/infer HTTP/1.1\r\nHost: model:8000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
        )
        return _with_length(head, body)

    def answer(self, body: bytes) -> bytes:
        return _with_length("HTTP/1.1 200 OK\r\nServer: model\r\n", body)


def _with_length(head: str, body: bytes) -> bytes:
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def json_flat(rows: Rows) -> bytes:
    return json.dumps({"inputs": [_tensor("x", rows)]}).encode()


def json_by_column(rows: Rows) -> bytes:
    columns = enumerate(zip(*rows, strict=True))
    return json.dumps({"inputs": [_tensor(f"f{i}", [[v] for v in column]) for i, column in columns]}).encode()


def json_answer(rows: Rows) -> bytes:
    return json.dumps({"model_name": "m", "model_version": "3", "outputs": [_tensor("p", rows)]}).encode()


def _tensor(name: str, rows: Rows) -> dict[str, object]:
    values = [value for row in rows for value in row]
    return {"name": name, "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": values}


def unnamed(encoder: Callable[[Rows], bytes]) -> Callable[[Rows], bytes]:
    """Messages without an id, as the bodies in JSON are: one with an id is remembered for its label."""
    return lambda rows: encoder(rows).replace(encode_grpc.field(3, "id-1"), b"", 1)


Layout = tuple[Callable[[], Keptalive | Calls], Callable[[Rows], bytes], Callable[[Rows], bytes]]
LAYOUTS: dict[str, Layout] = {
    "json, one tensor [2,12]": (Keptalive, json_flat, json_answer),
    "json, twelve tensors [2,1]": (Keptalive, json_by_column, json_answer),
    "grpc, one raw tensor [2,12]": (Calls, unnamed(encode_grpc.v2_raw(7)), unnamed(encode_grpc.v2_raw(6))),
    "grpc, one tensor in contents": (Calls, unnamed(encode_grpc.v2_typed), unnamed(encode_grpc.v2_typed)),
    "grpc, twelve raw tensors [2,1]": (
        Calls,
        unnamed(encode_grpc.v2_by_column),
        unnamed(encode_grpc.v2_raw(6)),
    ),
}


def bodies_of(layout: Layout) -> Bodies:
    """Requests of two rows and their answers."""
    chance = random.Random(1)
    made = []
    for _ in range(BODIES):
        rows = [[round(chance.gauss(0, 1), 6) for _ in range(FEATURES)] for _ in range(2)]
        made.append((layout[1](rows), layout[2]([[chance.random()], [chance.random()]])))
    return made


def traffic(exchanges: int, layout: Layout) -> Iterator[bytes]:
    """Frames as a relay worker sends them, in reads of 64 KiB."""
    bodies, base = bodies_of(layout), 1 << 40
    connections = [layout[0]() for _ in range(CONNECTIONS)]
    offsets = [[0, 0] for _ in range(CONNECTIONS)]
    pieces = [
        encode(Chunk(Kind.OPEN, base + i, meta={"route": "r", "offsets": [0, 0], "new": True}))
        for i in range(CONNECTIONS)
    ]
    now, size = 1.0, 0
    for number in range(exchanges):
        i = number % CONNECTIONS
        asked, answered = bodies[number % BODIES]
        sent, came = connections[i].request(asked), connections[i].answer(answered)
        now += 0.0001
        pieces.append(encode(Chunk(Kind.DATA, base + i, FROM_CLIENT, now, offsets[i][0], sent)))
        pieces.append(encode(Chunk(Kind.DATA, base + i, FROM_SERVER, now + 0.00005, offsets[i][1], came)))
        offsets[i][0] += len(sent)
        offsets[i][1] += len(came)
        size += len(sent) + len(came)
        if size > 65536:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


def run(exchanges: int, layout: Layout, learnt: bool) -> float:
    """Seconds of a core for all exchanges. With `learnt`, drift is judged: a reference is learnt first."""
    pipeline = Pipeline(Settings())
    observer, reader = pipeline.observer, FrameReader()
    warm = list(traffic(3000 if learnt else 200, layout))
    batches = list(traffic(exchanges, layout))
    for batch in warm:
        observer.feed(FrameReader().feed(batch))
    observer.link_lost(1, 2.0)
    garbage.settle()  # as the process does
    start = time.process_time()
    for number, batch in enumerate(batches):
        observer.feed(reader.feed(batch))
        if number % 20 == 0:
            observer.tick(1.0 + number)
    pipeline.registry.snapshot()
    seconds = time.process_time() - start
    check(pipeline, exchanges)
    return seconds


def check(pipeline: Pipeline, exchanges: int) -> None:
    """Nothing was cheap because nobody looked."""
    seen = pipeline.registry.value("inference_requests_total", outcome="ok")
    rows = pipeline.registry.value("inference_rows_total")
    if seen < exchanges or rows < 2 * exchanges:
        raise SystemExit(f"only {seen:.0f} of {exchanges} exchanges and {rows:.0f} rows were seen")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the observer; see the top of this file.")
    parser.add_argument("--exchanges", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="layouts whose name begins so")
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    layouts = {name: layout for name, layout in LAYOUTS.items() if name.startswith(chosen.only)}
    if chosen.profile:
        with cProfile.Profile() as profile:
            run(chosen.exchanges, next(iter(layouts.values())), True)
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        return
    for name, layout in layouts.items():
        for learnt in (False, True):
            best = min(run(chosen.exchanges, layout, learnt) for _ in range(chosen.rounds))
            rate = chosen.exchanges / best
            what = "with drift" if learnt else "while learning"
            print(f"{name}, {what}: {rate:,.0f} exchanges/s, {1e6 / rate:.1f} us each")


if __name__ == "__main__":
    main()
