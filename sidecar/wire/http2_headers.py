"""Header blocks of one direction of an HTTP/2 connection: HPACK (RFC 7541), and of it the fields we keep.

Every block changes what the next one means. So after one that was lost, or that could not be decoded within
bounds, no further block of this direction is read: a reference into the table would silently become
another path.
The trap: the table must remember fields we never keep, credentials among them, as both peers do. They stay
inside the decoder; in particular its log, which quotes them, stays silent.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import hpack

from sidecar.wire.head import keep
from sidecar.wire.limits import KIB, Budget, Limits

logging.getLogger("hpack").setLevel(logging.WARNING)

# Four times what the protocol begins with, which is what gRPC stays at. A sender that uses more is not
# followed: what a table takes is summed up after every block that may have changed it.
MAX_TABLE_BYTES = 16 * KIB
# What an entry of the table takes besides its text: a tuple, two bytes objects, a slot.
_ENTRY_BYTES = 160
# The same dozen blocks make up a connection's calls once its table is warm.
_MAX_REMEMBERED = 64
_MAX_STATUS_CHARS = 3


@dataclass(slots=True, frozen=True)
class Fields:
    """What a header block said. Absent pseudo-fields are "", an absent status is None."""

    method: str
    target: str
    status: int | None
    kept: dict[str, str]
    grpc_status: str
    grpc_timeout: str


class HeaderBlocks:
    """Decodes the blocks of one direction, in order."""

    __slots__ = ("_budget", "_charged", "_decoder", "_remembered", "lost")

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=limits.head_bytes)
        self._budget = budget
        self._charged = 0
        self._remembered: dict[bytes, Fields] = {}
        self.lost = False
        """No block can be read any more."""

    def allow(self, table_bytes: int) -> None:
        """The receiving side lets the table become this large.

        Never lowered: the sender has to confirm a smaller one within its blocks (RFC 7541, 4.2), and until
        then may rightly use the old one.
        """
        allowed = max(self._decoder.max_allowed_table_size, table_bytes)
        self._decoder.max_allowed_table_size = min(allowed, MAX_TABLE_BYTES)

    def read(self, block: bytes) -> Fields | None:
        """The fields of the next block; None once `lost`."""
        if self.lost:
            return None
        known = self._remembered.get(block)
        if known is not None:
            return known
        try:
            fields = _fields(self._decoder.decode(block, raw=True))
        except hpack.HPACKError:
            self.lose()
            return None
        if _refers_only(block):
            if len(self._remembered) < _MAX_REMEMBERED:
                self._remembered[block] = fields
        else:
            self._remembered.clear()
            self._charge()
        return fields

    def lose(self) -> None:
        """A block was lost: what the following ones refer to is not known."""
        self.lost = True
        self.drop()

    def drop(self) -> None:
        """Forget the table, and give its memory back."""
        self._remembered.clear()
        self._decoder.header_table_size = 0
        self._budget.give_back(self._charged)
        self._charged = 0

    def _charge(self) -> None:
        """Account for what the table holds now."""
        self._budget.give_back(self._charged)
        entries = self._decoder.header_table.dynamic_entries
        self._charged = sum(len(name) + len(value) + _ENTRY_BYTES for name, value in entries)
        if not self._budget.take(self._charged):
            self._charged = 0
            self.lose()


def _refers_only(block: bytes) -> bool:
    """Whether a block is nothing but one-byte references, so that it means the same until another changes
    the table. It holds no text of its own either: remembering it remembers nobody's secret.

    A longer reference ends with a byte below 0x80 (RFC 7541, 5.1).
    """
    return bool(block) and min(block) >= 0x80


def _fields(pairs: Iterable[hpack.HeaderTuple]) -> Fields:
    said: dict[bytes, bytes] = {}
    kept: dict[str, str] = {}
    for name, value in pairs:
        if name in _READ:
            said.setdefault(name, value)
        else:
            keep(kept, str(name, "latin-1"), value)
    text = {name: str(value, "latin-1") for name, value in said.items()}
    return Fields(
        text.get(b":method", ""),
        text.get(b":path", ""),
        _status(text.get(b":status", "")),
        kept,
        text.get(b"grpc-status", ""),
        text.get(b"grpc-timeout", ""),
    )


_READ = frozenset((b":method", b":path", b":status", b"grpc-status", b"grpc-timeout"))


def _status(text: str) -> int | None:
    return int(text) if len(text) == _MAX_STATUS_CHARS and text.isascii() and text.isdigit() else None
