"""RecordIO-protobuf as SageMaker's algorithms take and give it: framed records, one row each.

Sources: AWS, "Common data formats for training" (Record) and dmlc-core's recordio.h (the frames). A frame is
the magic word, a word of flag and length, the record, and padding to four bytes. The trap: a record that
holds the magic word itself is sent in parts, with that word left out between them.
"""

from math import prod
from typing import Any

from sidecar.decoders import columns, protobuf
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

MAGIC = (0xCED7230A).to_bytes(4, "little")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH_BITS = 29
# Field numbers of Record and of its Value; a tensor is values, keys (if sparse), shape.
_FEATURES, _LABEL = 1, 2
_TENSORS = ((2, "float"), (3, "double"), (7, "int32"))
_VALUES, _KEYS, _SHAPE = 1, 2, 3
# The name that says no more than "here they come".
_PLAIN = "values"
# Their product is taken before it is known to be small.
_MOST_DIMENSIONS = 8

Row = dict[str, list[Any]]


def read_features(data: bytes, prefix: str) -> tuple[int, list[Column]]:
    """Rows and the columns of their features: `prefix[i]`, or `name[i]` for features of another name."""
    return _read(data, _FEATURES, {_PLAIN: prefix}, "")


def read_labels(data: bytes) -> tuple[int, list[Column]]:
    """Rows and the columns of their labels, which is where predictions are: `score`, `predicted_label`."""
    return _read(data, _LABEL, {_PLAIN: "prediction"}, "lone")


def _read(data: bytes, field: int, names: dict[str, str], lone: str) -> tuple[int, list[Column]]:
    reader = protobuf.Reader()
    found: list[Row] = []
    cells = 0
    for record in _records(data):
        row = _row(reader.read(record), field)
        cells += sum(map(len, row.values()))
        # A few bytes of a sparse tensor are a thousand zeros.
        columns.check_cells(cells)
        found.append(row)
    reader.check()
    rows = columns.check_rows(len(found))
    keys = dict.fromkeys(key for row in found for key in row)
    columns.check_width(len(keys))
    table: list[Column] = []
    for key in keys:
        name = names.get(key, key)
        values = [row.get(key, []) for row in found]
        table += columns.of_lists(values, name, name if lone else "") if any(values) else []
        columns.check_width(len(table))
    return rows, columns.unique(table)


def _records(data: bytes) -> list[bytes]:
    records: list[bytes] = []
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        word = int.from_bytes(data[at + 4 : at + 8], "little")
        flag, length = word >> _LENGTH_BITS, word & (1 << _LENGTH_BITS) - 1
        begin, at = at + 8, at + 8 + length + -length % 4
        if data[begin - 8 : begin - 4] != MAGIC or at > len(data):
            raise Undecodable(Undecoded.SHAPE, "a record does not begin or end where it should")
        if flag > _LAST or (flag in (_WHOLE, _FIRST)) != (not parts):
            raise Undecodable(Undecoded.SHAPE, "the parts of a record are not in order")
        parts.append(data[begin : begin + length])
        if flag in (_WHOLE, _LAST):
            records.append(MAGIC.join(parts))
            parts = []
            if len(records) > columns.MAX_ROWS:
                columns.check_rows(len(records))
    if parts:
        raise Undecodable(Undecoded.SHAPE, "the last record is not whole")
    return records


def _row(record: protobuf.Message, field: int) -> Row:
    return {name: _values(entry.message(2)) for name, entry in record.entries(field)}


def _values(value: protobuf.Message) -> list[Any]:
    """The numbers of a tensor, those that a sparse one leaves out as zeros; none for bytes."""
    for number, scalar in _TENSORS:
        if value.has(number):
            tensor = value.message(number)
            values: list[Any] = tensor.numbers(_VALUES, scalar).tolist()
            return _dense(tensor, values) if tensor.has(_KEYS) else values
    return []


def _dense(tensor: protobuf.Message, values: list[Any]) -> list[Any]:
    keys, shape = tensor.integers(_KEYS), tensor.integers(_SHAPE)
    if len(shape) > _MOST_DIMENSIONS:
        raise Undecodable(Undecoded.SHAPE, "a sparse tensor has more dimensions than any has")
    # A key counts through all dimensions, the last one fastest.
    width = prod(shape) if shape else max(keys, default=-1) + 1
    if len(keys) != len(values) or any(not 0 <= key < width for key in keys):
        raise Undecodable(Undecoded.SHAPE, "the keys of a sparse tensor do not fit its values")
    # Recommenders have a million of them, nearly all zero; nobody looks at these one by one.
    columns.check_width(width)
    found: list[Any] = [0] * width if values and type(values[0]) is int else [0.0] * width
    for key, number in zip(keys, values, strict=True):
        found[key] = number
    return found
