"""HPACK (RFC 7541): the fields of one direction's header blocks, and the table that they refer to.

Which fields are worth keeping, the caller says. Of the others the table knows name and size only, which is
all that following it takes: nobody's credentials wait there. Huffman's code and the static table are the
`hpack` library's; its decoder takes several times as long over the short blocks of a kept connection.
The trap: every bound here is what keeps a few bytes from standing for gigabytes.
"""

from collections import deque
from collections.abc import Callable

from hpack import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

# What a caller makes of a name and a value; None of a field that it does not keep.
Said = tuple[str, str]
Keep = Callable[[bytes, bytes], Said | None]
# Name, what is kept of it, size.
_Field = tuple[bytes, Said | None, int]

# What the protocol begins with.
_TABLE_BYTES = 4096
# What it counts for an entry besides its text (RFC 7541, 4.1), and what one takes here: four objects, some of
# the text twice.
_COUNTED_BYTES = 32
_ENTRY_BYTES = 320
_STATIC = HeaderTable.STATIC_TABLE
_STATIC_ENTRIES = len(_STATIC)
# Of seven bits each, as the library has it: more than any size that is allowed.
_MAX_MORE_OCTETS = 5


class Unfollowable(Exception):
    """A block that is malformed or out of bounds: what the table holds now is not known."""


class Table:
    """Decodes header blocks in order. After an Unfollowable it is of no use."""

    __slots__ = ("_entries", "_keep", "_limit", "_size", "allowed", "changes")

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._entries: deque[_Field] = deque()
        self._limit = _TABLE_BYTES
        self._size = 0
        self.allowed = _TABLE_BYTES
        """How large the sender may make it, as the protocol counts."""
        self.changes = 0
        """How often it has changed, and with it what references mean."""

    @property
    def memory(self) -> int:
        """Bytes that it takes, roughly and rather too many."""
        return self._size + len(self._entries) * (_ENTRY_BYTES - _COUNTED_BYTES)

    def clear(self) -> None:
        """Forget everything, and remember nothing any more."""
        self._limit = 0
        self._shrink(0)

    def decode(self, block: bytes, room: int, begun: bool = False) -> list[Said]:
        """What is kept of the fields of the next block, or of its rest where it has `begun`.

        `room`: how many bytes its fields may be, as the protocol counts. Raises Unfollowable.
        """
        found: list[Said] = []
        at, end = 0, len(block)
        while at < end:
            first = block[at]
            if first & 0xE0 == 0x20:
                if begun:
                    raise Unfollowable
                at = self._resize(block, at)
                continue
            if 0x80 <= first < 0xFF:
                field, at = self._at(first & 0x7F), at + 1
            elif first == 0xFF:
                index, at = _integer(block, at, 0x7F)
                field = self._at(index)
            else:
                field, at = self._literal(block, at, first >= 0x40)
            begun = True
            if field[1] is not None:
                found.append(field[1])
            room -= field[2]
            if room < 0:
                raise Unfollowable
        return found

    def _at(self, index: int) -> _Field:
        """What an index refers to: first the static table, then the newest entry (RFC 7541, 2.3.3)."""
        if index > _STATIC_ENTRIES:
            if index - _STATIC_ENTRIES > len(self._entries):
                raise Unfollowable
            return self._entries[index - _STATIC_ENTRIES - 1]
        if not index:
            raise Unfollowable
        return self._field(*_STATIC[index - 1])

    def _field(self, name: bytes, value: bytes) -> _Field:
        return name, self._keep(name, value), len(name) + len(value) + _COUNTED_BYTES

    def _literal(self, block: bytes, at: int, added: bool) -> tuple[_Field, int]:
        """A field with a value of its own, and where it ends; `added`: the next ones may refer to it."""
        index, at = _integer(block, at, 0x3F if added else 0x0F)
        if index:
            name = self._at(index)[0]
        else:
            name, at = _text(block, at)
        value, at = _text(block, at)
        field = self._field(name, value)
        if added:
            self.changes += 1
            # One that is too large for the table empties it (RFC 7541, 4.4).
            self._shrink(self._limit - field[2])
            if field[2] <= self._limit:
                self._entries.appendleft(field)
                self._size += field[2]
        return field, at

    def _resize(self, block: bytes, at: int) -> int:
        limit, at = _integer(block, at, 0x1F)
        if limit > self.allowed:
            raise Unfollowable
        self._limit = limit
        self.changes += 1
        self._shrink(limit)
        return at

    def _shrink(self, size: int) -> None:
        """Forget the oldest until no more than `size` is left."""
        entries = self._entries
        while self._size > size and entries:
            self._size -= entries.pop()[2]


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """A number whose first bits are those of `mask`, and where it ends (RFC 7541, 5.1)."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for more, octet in enumerate(block[at : at + _MAX_MORE_OCTETS]):
        number += (octet & 0x7F) << 7 * more
        if octet < 0x80:
            return number, at + more + 1
    raise Unfollowable


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    """A string, and where it ends (RFC 7541, 5.2)."""
    if at >= len(block):
        raise Unfollowable
    coded = block[at] >= 0x80
    length, at = _integer(block, at, 0x7F)
    text = block[at : at + length]
    if len(text) < length:
        raise Unfollowable
    if not coded:
        return text, at + length
    try:
        return decode_huffman(text), at + length
    except HPACKError:
        raise Unfollowable from None
