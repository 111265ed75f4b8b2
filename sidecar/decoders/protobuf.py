"""Protobuf messages read by field number, without their schema (protobuf.dev, "Encoding").

Not generated code and no descriptors: two copies of one schema in a process collide, and here each
message has a few fields worth reading. Nothing raises: what is malformed ends the reading of its message,
what came before it stands, and the reader remembers why; whoever needs the whole asks `Reader.check`.
The trap: a repeated scalar may come packed, one by one, or both, whatever the schema says.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.decoders import protobuf_scalars as scalars
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf_scalars import FIXED32, FIXED64, MAX_VARINT_BYTES, SIZES, VARINT
from sidecar.inference import Undecoded

Array = npt.NDArray[Any]
# The wire type of a field, and where its value is. A run is several fields of one number with their tags.
Field = tuple[int, int, int]

BYTES = 2
_SCALARS = frozenset({VARINT, FIXED64, FIXED32})
_RUN = 8
# TensorProto's uint64_val is 17, and no message we read has more fields. Others are stepped over.
_HIGHEST_READ = 31
_SIGN, _MODULUS = 2**63, 2**64
# Reading as many one by one takes a tenth of a second; a repeated scalar is one, however long. Messages count
# as one, too.
MAX_FIELDS = 100_000
# Of so few bytes numpy would only take longer.
_FEW_BYTES = 32
_FIXED: dict[str, np.dtype[Any]] = {"float": np.dtype("<f4"), "double": np.dtype("<f8")}
_WIRE_TYPES = {"float": FIXED32, "double": FIXED64}
_NONE: list[Field] = []


class Reader:
    """Reads the messages of one body, within one allowance of fields."""

    __slots__ = ("_left", "problem")

    def __init__(self, fields: int = MAX_FIELDS) -> None:
        self._left = fields
        self.problem: Undecodable | None = None
        """The first thing that was wrong with any of the messages."""

    def check(self) -> None:
        """Raise Undecodable if anything was wrong: not_protobuf, or too_wide for too many fields."""
        if self.problem is not None:
            raise self.problem

    def malformed(self, what: str) -> None:
        """Remember what was wrong, unless something was already."""
        self.problem = self.problem or Undecodable(Undecoded.NOT_PROTOBUF, what)

    def read(self, data: bytes, at: int = 0, end: int | None = None) -> "Message":
        """The fields of the message in `data[at:end]`, as far as they can be read."""
        fields: dict[int, list[Field]] = {}
        stop = len(data) if end is None else end
        try:
            self._scan(fields, data, at, stop)
        except Undecodable as error:
            self.problem = self.problem or error
        return Message(self, data, at, stop, fields)

    def _scan(self, fields: dict[int, list[Field]], data: bytes, at: int, end: int) -> None:
        left = self._left - 1
        while at < end or left < 0:
            left -= 1
            if left < 0:
                self._left = 0
                raise Undecodable(Undecoded.TOO_WIDE, "more fields than are worth their time")
            start, key = at, data[at]
            if key < 0x80:
                at += 1
            else:
                key, at = _varint(data, at, end)
            number, kind = key >> 3, key & 7
            known = fields.get(number)
            if known is None:
                if number > _HIGHEST_READ:
                    at = _span(data, at, end, kind)[1]
                    continue
                if not number:
                    raise Undecodable(Undecoded.NOT_PROTOBUF, "a field has number 0")
                known = fields[number] = []
            elif kind != BYTES and at == start + 1 and kind in _SCALARS:
                stop = scalars.end_of_run(data, start, end)
                if stop:
                    known.append((kind | _RUN, start, stop))
                    at = stop
                    continue
            if kind == BYTES and at < end and (length := data[at]) < 0x80 and length < end - at:
                value, at = at + 1, at + 1 + length  # nearly always
            else:
                value, at = _span(data, at, end, kind)
            known.append((kind, value, at))
        self._left = left


class Message:
    """The fields of one message by their numbers. A field of an unexpected wire type is not there."""

    __slots__ = ("_data", "_end", "_fields", "_start", "reader")

    def __init__(
        self, reader: Reader, data: bytes, start: int, end: int, fields: dict[int, list[Field]]
    ) -> None:
        self.reader = reader
        self._data = data
        self._start = start
        self._end = end
        self._fields = fields

    @property
    def highest(self) -> int:
        """The largest field number of those that are read; 0 if there are none."""
        return max(self._fields, default=0)

    def has(self, number: int) -> bool:
        """Whether the field is there, be it empty."""
        return bool(self._fields.get(number))

    def mentions(self, text: bytes) -> bool:
        """Whether it holds these bytes anywhere: to do without a closer look."""
        return self._data.find(text, self._start, self._end) >= 0

    def span(self, number: int) -> memoryview:
        """The bytes of a field: the last one counts; none if it is not there."""
        for kind, start, end in reversed(self._fields.get(number, _NONE)):
            if kind == BYTES:
                return memoryview(self._data)[start:end]
        return memoryview(b"")

    def spans(self, number: int) -> list[memoryview]:
        """The bytes of each occurrence of a field; none once the body is known to be wrong."""
        if self.reader.problem is not None:
            return []
        view = memoryview(self._data)
        return [view[start:end] for kind, start, end in self._fields.get(number, _NONE) if kind == BYTES]

    def text(self, number: int) -> str:
        """The text of a field; "" if it is not there, or no text."""
        fields = self._fields.get(number)
        if not fields:  # not there, or cut
            return ""
        kind, start, end = fields[-1]
        try:
            return self._data[start:end].decode() if kind == BYTES else ""
        except UnicodeDecodeError:
            return ""

    def message(self, number: int) -> "Message":
        """The message in a field: the last one counts; an empty one if it is not there."""
        for kind, start, end in reversed(self._fields.get(number, _NONE)):
            if kind == BYTES:
                return self.reader.read(self._data, start, end)
        return Message(self.reader, b"", 0, 0, {})

    def parts(self, number: int) -> list[tuple[bytes, int, int]]:
        """Where each occurrence of a field is, for `Reader.read`; none once the body is known to be wrong."""
        if self.reader.problem is not None:
            return []
        data = self._data
        return [(data, start, end) for kind, start, end in self._fields.get(number, _NONE) if kind == BYTES]

    def messages(self, number: int) -> list["Message"]:
        """The message in each occurrence of a field; none once the body is known to be wrong."""
        reader, data, found = self.reader, self._data, []
        for kind, start, end in self._fields.get(number, _NONE):
            if reader.problem is not None:
                return []
            if kind == BYTES:
                found.append(reader.read(data, start, end))
        return found

    def entries(self, number: int) -> list[tuple[str, "Message"]]:
        """The entries of a map from text: the key, and the entry itself, whose value is its field 2."""
        return [(entry.text(1), entry) for entry in self.messages(number)]

    def integer(self, number: int) -> int | None:
        """A singular int32, int64, bool or enum; None if it is not there."""
        for kind, start, end in reversed(self._fields.get(number, _NONE)):
            if kind == VARINT:
                return _signed(_varint(self._data, start, end)[0])
            if kind == VARINT | _RUN:
                return int(self.numbers(number, "int64")[-1])
        return None

    def integers(self, number: int) -> list[int]:
        """A repeated int64, usually short: a shape."""
        fields = self._fields.get(number, _NONE)
        if len(fields) == 1 and fields[0][0] == BYTES and fields[0][2] - fields[0][1] <= _FEW_BYTES:
            found = []
            _, at, end = fields[0]
            try:
                while at < end:
                    value, at = _varint(self._data, at, end)
                    found.append(_signed(value))
            except Undecodable as error:
                self.reader.malformed(str(error))
            return found
        values: list[int] = self.numbers(number, "int64").tolist()
        return values

    def numbers(self, number: int, scalar: str) -> Array:
        """All values of a repeated scalar in order; `scalar` is its type as a schema says it.

        float and double are views where they came in one piece. Not for the zigzag and fixed integers.
        """
        try:
            if scalar in _FIXED:
                pieces = self._pieces(number, _WIRE_TYPES[scalar])
                dtype = _FIXED[scalar]
                if sum(map(len, pieces)) % dtype.itemsize:
                    raise Undecodable(Undecoded.NOT_PROTOBUF, "packed numbers end within one")
                return np.frombuffer(_joined(pieces), dtype)
            return scalars.as_scalar(scalars.varints(_joined(self._pieces(number, VARINT))), scalar)
        except Undecodable as error:
            self.reader.problem = self.reader.problem or error
            return np.empty(0, _FIXED.get(scalar, np.dtype(np.int64)))

    def _pieces(self, number: int, wire_type: int) -> list[memoryview]:
        """The values of a repeated scalar without their tags, however they came."""
        view = memoryview(self._data)
        pieces = []
        for kind, start, end in self._fields.get(number, _NONE):
            if kind in (BYTES, wire_type):
                pieces.append(view[start:end])
            elif kind == wire_type | _RUN:
                pieces.append(scalars.without_tags(view[start:end], wire_type))
        return pieces


def _joined(pieces: list[memoryview]) -> bytes | memoryview:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _signed(value: int) -> int:
    return value if value < _SIGN else value - _MODULUS


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where it ends. Raises Undecodable."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    number = shift = 0
    for byte in data[at : min(at + MAX_VARINT_BYTES, end)]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            # What does not fit into 64 bits is dropped, as every implementation does.
            return number & (_MODULUS - 1), at + shift // 7
    raise Undecodable(Undecoded.NOT_PROTOBUF, "a number does not end")


def _span(data: bytes, at: int, end: int, kind: int) -> tuple[int, int]:
    """Where the value of a field begins and ends. Raises Undecodable."""
    if kind == BYTES:
        length, at = _varint(data, at, end)
    elif kind == VARINT:
        return at, _varint(data, at, end)[1]
    elif kind in SIZES:
        length = SIZES[kind]
    else:
        # Groups are long gone from every schema of a model server.
        raise Undecodable(Undecoded.NOT_PROTOBUF, "a field is of a type that is not read")
    if length > end - at:
        raise Undecodable(Undecoded.NOT_PROTOBUF, "a field is longer than its message")
    return at, at + length
