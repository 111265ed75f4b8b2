"""Header blocks of one direction of an HTTP/2 connection, and of them the fields we keep.

Every block changes what the next one means. So after one that was lost, or that could not be decoded within
bounds, no further block of this direction is read: a reference into the table would silently become
another path.
The trap: a block's meaning may be remembered only as long as the table is what it was, and only without
what the block spells out itself, which may be a secret.
"""

import re
from typing import NamedTuple

from sidecar.wire import head
from sidecar.wire.http2_table import Said, Table, Unfollowable
from sidecar.wire.limits import KIB, Budget, Limits

# Four times what the protocol begins with, which is what gRPC stays at. A sender that uses more is not
# followed: what a table takes is summed up after every block that may have changed it.
MAX_TABLE_BYTES = 16 * KIB
# The same dozen blocks make up a connection's calls once its table is warm.
_MAX_REMEMBERED = 64
_LONGEST_REMEMBERED = 64
_MAX_STATUS_CHARS = 3
# One-byte references. They mean the same until a block changes the table, and hold no text of their own:
# remembering them remembers nobody's secret. A longer reference begins with 0xff (RFC 7541, 5.1).
_REFERENCES = re.compile(rb"[\x80-\xfe]*+")


class Fields(NamedTuple):
    """What a header block said. Absent pseudo-fields are "", an absent status is None."""

    method: str
    target: str
    status: int | None
    kept: dict[str, str]
    grpc_status: str
    grpc_timeout: str


class HeaderBlocks:
    """Decodes the blocks of one direction, in order."""

    __slots__ = ("_begun", "_budget", "_charged", "_remembered", "_room", "_table", "lost")

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self._table = Table(_said)
        self._room = limits.head_bytes
        self._budget = budget
        self._charged = 0
        self._remembered: dict[bytes, Fields] = {}
        """By whole blocks."""
        self._begun: dict[bytes, list[Said]] = {}
        """By the references that blocks begin with."""
        self.lost = False
        """No block can be read any more."""

    def allow(self, table_bytes: int) -> None:
        """The receiving side lets the table become this large.

        Never lowered: the sender has to confirm a smaller one within its blocks (RFC 7541, 4.2), and until
        then may rightly use the old one.
        """
        self._table.allowed = min(max(self._table.allowed, table_bytes), MAX_TABLE_BYTES)

    def read(self, block: bytes) -> Fields | None:
        """The fields of the next block; None once `lost`."""
        if self.lost:
            return None
        known = self._remembered.get(block)
        if known is not None:
            return known
        try:
            return self._read(block)
        except Unfollowable:
            self.lose()
            return None

    def lose(self) -> None:
        """A block was lost: what the following ones refer to is not known."""
        self.lost = True
        self.drop()

    def drop(self) -> None:
        """Forget the table, and give its memory back."""
        self._forget()
        self._table.clear()
        self._budget.give_back(self._charged)
        self._charged = 0

    def _read(self, block: bytes) -> Fields:
        references = _references(block)
        if len(references) == len(block):
            fields = _fields(self._table.decode(block, self._room))
            if len(block) <= _LONGEST_REMEMBERED and len(self._remembered) < _MAX_REMEMBERED:
                self._remembered[block] = fields
            return fields
        said = self._begun.get(references)
        if said is None:
            said = self._table.decode(references, self._room)
            if len(references) <= _LONGEST_REMEMBERED and len(self._begun) < _MAX_REMEMBERED:
                self._begun[references] = said
        changes = self._table.changes
        more = self._table.decode(block[len(references) :], self._room, begun=bool(references))
        if self._table.changes != changes:
            self._forget()
            self._charge()
        return _fields(said + more)

    def _forget(self) -> None:
        """What was remembered refers to a table that is no more."""
        self._remembered.clear()
        self._begun.clear()

    def _charge(self) -> None:
        """Account for what the table holds now."""
        self._budget.give_back(self._charged)
        self._charged = self._table.memory
        if not self._budget.take(self._charged):
            self._charged = 0
            self.lose()


def _references(block: bytes) -> bytes:
    """What a block begins with, as far as it is nothing but references."""
    match = _REFERENCES.match(block)
    return match[0] if match else b""


def _said(name: bytes, value: bytes) -> Said | None:
    """What is kept of a field; None of one that nobody reads."""
    key = str(name, "latin-1")
    if key in _READ:
        return key, str(value, "latin-1")
    return (key, head.text_of(value)) if head.is_kept(key) else None


def _fields(said: list[Said]) -> Fields:
    read: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name, text in said:
        if name in _READ:
            read.setdefault(name, text)
        else:
            head.add(kept, name, text)
    return Fields(
        read.get(":method", ""),
        read.get(":path", ""),
        _status(read.get(":status", "")),
        kept,
        read.get("grpc-status", ""),
        read.get("grpc-timeout", ""),
    )


_READ = frozenset((":method", ":path", ":status", "grpc-status", "grpc-timeout"))


def _status(text: str) -> int | None:
    return int(text) if len(text) == _MAX_STATUS_CHARS and text.isascii() and text.isdigit() else None
