"""What reading an exchange costs: microseconds for claim and decode together, per protocol and batch size.

    python -m benchmarks.decode [--features 12]

The best of several rounds on one core: what the code costs, not what a busy machine makes of it.
"""

import argparse
import io
import json
import random
import timeit
from collections.abc import Callable

import numpy as np

from benchmarks import raw_tensors, streams
from sidecar import decoders
from sidecar.exchange import CapturedBody, Exchange, Outcome, Timings
from sidecar.inference import Inference

ROWS = (1, 2, 16, 256)
TOKENS = (20, 200, 2_000)
ROUNDS = 5
SECONDS_PER_ROUND = 0.1

Rows = list[list[float]]
Body = tuple[bytes, bytes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--features", type=int, default=12)
    features = parser.parse_args().features
    print(f"microseconds per exchange, {features} features")
    print(f"{'protocol':20}" + "".join(f"{rows:>10} rows" for rows in ROWS))
    for name, (target, content_type, bodies) in PROTOCOLS.items():
        cells = [cost(exchange(target, content_type, bodies(batch(rows, features)))) for rows in ROWS]
        print(f"{name:20}" + "".join(f"{cell:15.1f}" for cell in cells))
    for tokens in TOKENS:
        *_, stream = streams.wire_cost(tokens)
        print(f"chat of {tokens:,} tokens, streamed: {streams.decode_cost(stream):.0f}")
    for case in raw_tensors.CASES:
        asked, answered = raw_tensors.messages(case)
        seen = exchange("/v2/models/m/infer", "", (asked[0], answered[0]))
        seen.request_headers, seen.response_headers = asked[1], answered[1]
        microseconds = cost(seen)
        print(f"1 MB of raw {case}: {microseconds:.0f}, {len(asked[0]) / microseconds:.0f} MB/s")


def cost(seen: Exchange) -> float:
    """Microseconds to claim and decode one exchange."""

    def read() -> Inference:
        claimed = decoders.claim(seen.method, seen.target, seen.request_headers)
        assert claimed is not None
        return decoders.decode(seen, claimed)

    inference = read()
    assert inference.undecoded is None, inference.evidence
    assert inference.features
    assert inference.outputs
    once = timeit.timeit(read, number=10) / 10
    number = max(1, int(SECONDS_PER_ROUND / once))
    return min(timeit.repeat(read, number=number, repeat=ROUNDS)) / number * 1e6


def exchange(target: str, content_type: str, bodies: Body) -> Exchange:
    request, answer = bodies
    return Exchange(
        connection=1,
        transport="http1",
        method="POST",
        target=target,
        timings=Timings(0.0, 0.0, 0.0, 0.0),
        outcome=Outcome.OK,
        status=200,
        request_headers={"content-type": content_type},
        response_headers={"content-type": "application/json"},
        request=CapturedBody(request, len(request)),
        response=CapturedBody(answer, len(answer)),
    )


def batch(rows: int, features: int) -> Rows:
    numbers = random.Random(7)
    return [[round(numbers.gauss(0, 10), 4) for _ in range(features)] for _ in range(rows)]


def _records(rows: Rows) -> list[dict[str, float]]:
    return [{f"feature_{i}": value for i, value in enumerate(row)} for row in rows]


def _json(request: object, answer: object) -> Body:
    return json.dumps(request).encode(), json.dumps(answer).encode()


def _tensor(rows: Rows, data: object) -> object:
    return {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}


def v2(inputs: Callable[[Rows], object]) -> Callable[[Rows], Body]:
    def bodies(rows: Rows) -> Body:
        scores = {"name": "p", "shape": [len(rows)], "datatype": "FP32", "data": [0.5] * len(rows)}
        answer = {"model_name": "m", "model_version": "1", "id": "1", "outputs": [scores]}
        return _json({"id": "1", "inputs": inputs(rows)}, answer)

    return bodies


def _flat(rows: Rows) -> object:
    return [_tensor(rows, [value for row in rows for value in row])]


def _nested(rows: Rows) -> object:
    return [_tensor(rows, rows)]


def _by_column(rows: Rows) -> object:
    return [
        {"name": f"feature_{i}", "shape": [len(rows)], "datatype": "FP32", "data": values}
        for i, values in enumerate(zip(*rows, strict=True))
    ]


def predicted(request: Callable[[Rows], object]) -> Callable[[Rows], Body]:
    return lambda rows: _json(request(rows), {"predictions": [0.5] * len(rows)})


def _csv(rows: Rows) -> Body:
    lines = [",".join(_records(rows)[0]), *(",".join(map(str, row)) for row in rows)]
    return "\n".join(lines).encode(), json.dumps({"predictions": [0.5] * len(rows)}).encode()


def _split(rows: Rows) -> object:
    return {"dataframe_split": {"columns": list(_records(rows)[0]), "data": rows}}


def _seldon(rows: Rows) -> Body:
    data = {"names": list(_records(rows)[0]), "ndarray": rows}
    return _json({"data": data}, {"data": {"names": ["p"], "ndarray": [[0.5]] * len(rows)}})


def _headerless(rows: Rows) -> Body:
    lines = "\n".join(",".join(map(str, row)) for row in rows)
    return lines.encode(), json.dumps({"predictions": [{"score": 0.5}] * len(rows)}).encode()


def _npy(rows: Rows) -> Body:
    stream = io.BytesIO()
    np.save(stream, np.array(rows))
    return stream.getvalue(), json.dumps({"predictions": [0.5] * len(rows)}).encode()


PROTOCOLS: dict[str, tuple[str, str, Callable[[Rows], Body]]] = {
    "v2 flat": ("/v2/models/m/infer", "application/json", v2(_flat)),
    "v2 nested": ("/v2/models/m/infer", "application/json", v2(_nested)),
    "v2 by column": ("/v2/models/m/infer", "application/json", v2(_by_column)),
    "v1 lists": ("/v1/models/m:predict", "application/json", predicted(lambda rows: {"instances": rows})),
    "v1 records": (
        "/v1/models/m:predict",
        "application/json",
        predicted(lambda rows: {"instances": _records(rows)}),
    ),
    "mlflow split": ("/invocations", "application/json", predicted(_split)),
    "mlflow csv": ("/invocations", "text/csv", _csv),
    "seldon ndarray": ("/api/v1.0/predictions", "application/json", _seldon),
    "sagemaker csv": ("/models/m/invoke", "text/csv", _headerless),
    "sagemaker npy": ("/models/m/invoke", "application/x-npy", _npy),
    "torchserve records": ("/predictions/m", "application/json", predicted(_records)),
    "json records": ("/score", "application/json", predicted(lambda rows: {"rows": _records(rows)})),
}

if __name__ == "__main__":
    main()
