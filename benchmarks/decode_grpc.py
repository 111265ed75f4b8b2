"""What reading a gRPC call costs: microseconds for claim and decode together, per protocol and batch size.

    python -m benchmarks.decode_grpc [--features 12]

As benchmarks/decode.py measures, and with its rows. The last column is a request of nearly a megabyte, the
largest that is captured (where a protocol needs more fields for it than are read, there is a dash).
"""

import argparse
import struct
from collections.abc import Callable, Iterable

from benchmarks.decode import ROWS, Rows, batch, cost, exchange
from sidecar import decoders

LARGEST_BYTES = 1_000_000
GRPC = "application/grpc"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--features", type=int, default=12)
    features = parser.parse_args().features
    print(f"microseconds per call, {features} features")
    print(f"{'protocol':20}" + "".join(f"{rows:>10} rows" for rows in ROWS) + f"{'1 MB':>15}")
    for name, (target, request, answer) in PROTOCOLS.items():
        cells = [measured(target, request, answer, batch(rows, features)) for rows in ROWS]
        per_row = len(request(batch(256, features))) / 256
        largest = min(int(LARGEST_BYTES / per_row), 100_000)
        print(
            f"{name:20}"
            + "".join(map(shown, [*cells, measured(target, request, answer, batch(largest, features))]))
        )


def measured(target: str, request: "Encoder", answer: "Encoder", rows: Rows) -> float | None:
    seen = exchange(target, GRPC, (framed(request(rows)), framed(answer([[0.5]] * len(rows)))))
    claimed = decoders.claim(seen.method, seen.target, seen.request_headers)
    assert claimed is not None
    return None if decoders.decode(seen, claimed).undecoded else cost(seen)


def shown(cell: float | None) -> str:
    return f"{'-':>15}" if cell is None else f"{cell:15.1f}"


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def floats(rows: Rows) -> bytes:
    values = [value for row in rows for value in row]
    return struct.pack(f"<{len(values)}f", *values)


def v2_raw(raw: int) -> "Encoder":
    return lambda rows: _names() + field(5, _tensor(rows)) + field(raw, floats(rows))


def v2_typed(rows: Rows) -> bytes:
    return _names() + field(5, _tensor(rows) + field(5, field(6, floats(rows))))


def v2_by_column(rows: Rows) -> bytes:
    columns = [[[value] for value in column] for column in zip(*rows, strict=True)]
    tensors = (field(5, _tensor(column, f"feature_{i}")) for i, column in enumerate(columns))
    return _names() + b"".join(tensors) + b"".join(field(7, floats(column)) for column in columns)


def _names() -> bytes:
    return field(1, "m") + field(2, "1") + field(3, "id-1")


def _tensor(rows: Rows, name: str = "x") -> bytes:
    return field(1, name) + field(2, "FP32") + field(3, varint(len(rows)) + varint(len(rows[0])))


def predict(number: int, specification: int) -> "Encoder":
    def encoded(rows: Rows) -> bytes:
        sizes = b"".join(field(2, number_field(1, size)) for size in (len(rows), len(rows[0])))
        tensor = number_field(1, 1) + field(2, sizes) + field(4, floats(rows))
        return field(specification, field(1, "m")) + field(number, field(1, "x") + field(2, tensor))

    return encoded


def regress(rows: Rows) -> bytes:
    return field(1, field(1, "m")) + field(2, field(1, b"".join(map(_example, rows))))


def _example(row: Iterable[float]) -> bytes:
    entries = (
        field(1, field(1, f"feature_{i}") + field(2, field(2, field(1, struct.pack("<f", value)))))
        for i, value in enumerate(row)
    )
    return field(1, field(1, b"".join(entries)))


def regressed(rows: Rows) -> bytes:
    return field(1, b"".join(field(1, b"\x0d" + struct.pack("<f", row[0])) for row in rows))


def seldon_ndarray(rows: Rows) -> bytes:
    values = (field(1, field(6, b"".join(map(_number, row)))) for row in rows)
    return field(3, field(3, b"".join(values)))


def _number(value: float) -> bytes:
    return field(1, b"\x11" + struct.pack("<d", value))


Encoder = Callable[[Rows], bytes]
INFER = "/inference.GRPCInferenceService/ModelInfer"
TENSORFLOW = "/tensorflow.serving.PredictionService/"
PROTOCOLS: dict[str, tuple[str, Encoder, Encoder]] = {
    "v2 raw": (INFER, v2_raw(7), v2_raw(6)),
    "v2 contents": (INFER, v2_typed, v2_typed),
    "v2 raw by column": (INFER, v2_by_column, v2_raw(6)),
    "tensorflow predict": (TENSORFLOW + "Predict", predict(2, 1), predict(1, 2)),
    "tensorflow regress": (TENSORFLOW + "Regress", regress, regressed),
    "seldon ndarray": ("/seldon.protos.Model/Predict", seldon_ndarray, seldon_ndarray),
}

if __name__ == "__main__":
    main()
