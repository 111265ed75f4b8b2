"""The whole observer fed from memory: frames of the tee → exchanges → inferences → monitors, one core.

    python -m benchmarks.observer [--exchanges 20000] [--reference] [--profile]

Each exchange is an Open Inference V2 request of 2 rows × 12 features (one tensor a feature, or one tensor of
shape [2, 12]) and its answer, on 16 keep-alive connections. Prints exchanges a second and what they cost.
"""

import argparse
import cProfile
import json
import pstats
import random
import time
from collections.abc import Iterator

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, FrameReader, Kind, encode
from sidecar.config import Settings
from sidecar.observer import garbage
from sidecar.observer.pipeline import Pipeline

CONNECTIONS = 16
FEATURES = 12


def request(chance: random.Random, flat: bool) -> bytes:
    values = [round(chance.gauss(0, 1), 6) for _ in range(2 * FEATURES)]
    tensors: list[object] = (
        [{"name": "x", "datatype": "FP64", "shape": [2, FEATURES], "data": values}]
        if flat
        else [
            {"name": f"f{i}", "datatype": "FP64", "shape": [2, 1], "data": values[2 * i : 2 * i + 2]}
            for i in range(FEATURES)
        ]
    )
    body = json.dumps({"inputs": tensors}).encode()
    head = "POST /v2/models/m/infer HTTP/1.1\r\nHost: model:8000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def answer(chance: random.Random) -> bytes:
    outputs = [{"name": "p", "datatype": "FP64", "shape": [2], "data": [chance.random(), chance.random()]}]
    body = json.dumps({"model_name": "m", "model_version": "3", "outputs": outputs}).encode()
    head = "HTTP/1.1 200 OK\r\nServer: model\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def traffic(exchanges: int, flat: bool) -> Iterator[bytes]:
    """Frames as a relay worker sends them, in reads of 64 KiB."""
    chance = random.Random(1)
    # A few hundred different bodies are enough to defeat caches without costing the benchmark its time.
    requests = [request(chance, flat) for _ in range(256)]
    answers = [answer(chance) for _ in range(256)]
    base = 1 << 40
    offsets = [[0, 0] for _ in range(CONNECTIONS)]
    pieces = [
        encode(Chunk(Kind.OPEN, base + i, meta={"route": "r", "offsets": [0, 0], "new": True}))
        for i in range(CONNECTIONS)
    ]
    now, size = 1.0, 0
    for number in range(exchanges):
        i = number % CONNECTIONS
        sent, came = requests[number % 256], answers[number % 256]
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


def run(exchanges: int, flat: bool, learnt: bool) -> float:
    """Seconds for all exchanges. With `learnt`, drift is judged: a reference is learnt first."""
    pipeline = Pipeline(Settings())
    observer, reader = pipeline.observer, FrameReader()
    warm = list(traffic(3000 if learnt else 200, flat))
    batches = list(traffic(exchanges, flat))
    for batch in warm:
        observer.feed(FrameReader().feed(batch))
    observer.link_lost(1, 2.0)
    garbage.settle()  # as the process does
    start = time.perf_counter()
    for number, batch in enumerate(batches):
        observer.feed(reader.feed(batch))
        if number % 20 == 0:
            observer.tick(1.0 + number)
    pipeline.registry.snapshot()
    seconds = time.perf_counter() - start
    seen = pipeline.registry.value("inference_requests_total", outcome="ok")
    if seen < exchanges:
        raise SystemExit(f"only {seen:.0f} of {exchanges} exchanges were seen")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the observer; see the top of this file.")
    parser.add_argument("--exchanges", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    if chosen.profile:
        with cProfile.Profile() as profile:
            run(chosen.exchanges, True, True)
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        return
    for name, flat in (("one tensor [2,12]", True), ("twelve tensors [2,1]", False)):
        for learnt in (False, True):
            best = min(run(chosen.exchanges, flat, learnt) for _ in range(chosen.rounds))
            rate = chosen.exchanges / best
            what = "with drift" if learnt else "while learning"
            print(f"{name}, {what}: {rate:,.0f} exchanges/s, {1e6 / rate:.1f} us each")


if __name__ == "__main__":
    main()
