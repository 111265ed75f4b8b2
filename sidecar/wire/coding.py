"""Content codings undone: whole bodies and streams, in gzip, deflate, br and zstd.

Not a general decompressor: output is bounded before it is made, since 300 bytes of br can stand for
200 MB. The trap is in the libraries' own limits: zlib takes 0 for "no limit", br overshoots what it is
given, and a zstd frame claims how much memory its window wants.

The libraries for br and zstd are loaded when the first such body arrives.
"""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sidecar.exchange import BodyProblem
from sidecar.wire.limits import Limits

# gzip or deflate with a header, told apart by zlib itself; deflate without one is what some servers send.
_ANY_HEADER = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
# One coding is normal, two are a mistake somewhere, more are an attack on the reader.
_MAX_CODINGS = 2
# Concatenated members (RFC 1952, 2.2) and frames (RFC 8878, 3.1) are legal; thousands of empty ones are
# not meant well.
_MAX_MEMBERS = 64
# 8 MiB, the largest window that the content coding may ask for (RFC 9659, 3).
_ZSTD_WINDOW_LOG = 23
# Asked of br at a time: it doubles its buffer until it holds this much, so it returns up to three times that.
_BR_STEP_BYTES = 64 * 1024


class CodingError(Exception):
    """The bytes are not what their coding says."""


class Member(Protocol):
    """One gzip member, one zstd frame, one br stream. Raises whatever its library raises."""

    @property
    def eof(self) -> bool:
        """Whether the end was reached; what came after it is in `unused_data`."""

    @property
    def unused_data(self) -> bytes:
        """Bytes after the end."""

    def decompress(self, data: bytes | bytearray, max_length: int, /) -> bytes:
        """What `data` becomes: all of it if that is less than `max_length` (which is at least 1)."""


class Inflater:
    """Undoes one content coding as the pieces come, for streams.

    `failed` once nothing more can be had: the bytes do not decode, or became too many.
    """

    __slots__ = ("_begin", "_in", "_limits", "_member", "_members", "_out", "failed")

    def __init__(self, coding: str | None, limits: Limits) -> None:
        codings = codings_of(coding or "")
        self._limits = limits
        self._in = self._out = self._members = 0
        self.failed = len(codings) > 1 or not _MEMBERS.keys() >= set(codings)
        self._begin = _MEMBERS[codings[0]] if codings and not self.failed else None
        self._member: Member | None = None

    def feed(self, data: bytes) -> bytes:
        """What these bytes become; b"" once `failed`."""
        if self._begin is None or self.failed:
            return b"" if self.failed else data
        self._in += len(data)
        room = max(output_room(self._in, self._limits) - self._out, 0)
        try:
            output = self._inflate(data, room + 1)
        except Exception:  # each library has its own error, and may not be there
            self._stop()
            return b""
        self._out += len(output)
        if len(output) > room:
            self._stop()
        return output

    def _inflate(self, data: bytes, room: int) -> bytes:
        """At least `room` bytes, or all that `data` becomes; a member that ends is followed by the next."""
        assert self._begin is not None
        output = b""
        while data and len(output) < room:
            if self._member is None:
                self._members += 1
                if self._members > self._limits.events:  # at most a member for each event
                    raise CodingError
                self._member = self._begin()
            output += self._member.decompress(data, room - len(output))
            if not self._member.eof:
                break
            data, self._member = self._member.unused_data.lstrip(b"\0"), None
        return output

    def _stop(self) -> None:
        """Give back the window, which may be megabytes."""
        self.failed, self._member = True, None


def codings_of(value: str) -> list[str]:
    """The content codings of a Content-Encoding field, outermost last, without those that do nothing."""
    names = (name.strip(" \t").lower() for name in value.split(","))
    return [name for name in names if name not in ("", "identity")]


def decode(data: bytes | bytearray, coding: str, limits: Limits) -> tuple[bytes, BodyProblem | None]:
    """Undo the content codings of a whole body; (b"", why) when that cannot be done within bounds."""
    codings = codings_of(coding)
    if len(codings) > _MAX_CODINGS or not _MEMBERS.keys() >= set(codings):
        return b"", BodyProblem.UNKNOWN_ENCODING
    for name in reversed(codings):
        room = output_room(len(data), limits)
        try:
            data = _whole(data, name, room + 1)
        except ImportError:
            return b"", BodyProblem.UNKNOWN_ENCODING
        except Exception:  # each library has its own error
            return b"", BodyProblem.BAD_ENCODING
        if len(data) > room:
            return b"", BodyProblem.EXPANDS_TOO_MUCH
    return bytes(data), None


def output_room(compressed: int, limits: Limits) -> int:
    """How many bytes `compressed` bytes may become."""
    return min(limits.decoded_bytes, max(limits.capture_bytes, compressed * limits.expansion_ratio))


def _whole(data: bytes | bytearray, coding: str, room: int) -> bytes:
    """Every member of `data`, or at least `room` bytes of output. Raises if it is not whole."""
    begin = _MEMBERS[coding]
    try:
        return _members(data, begin, room)
    except (CodingError, zlib.error):
        if begin is not _zlib or data[:2] == b"\x1f\x8b":
            raise
        return _members(data, _raw_deflate, room)


def _members(data: bytes | bytearray, begin: Callable[[], Member], room: int) -> bytes:
    output = b""
    for _ in range(_MAX_MEMBERS):
        member = begin()
        output += member.decompress(data, room - len(output))
        if len(output) >= room:
            return output
        if not member.eof:
            raise CodingError("incomplete")
        data = member.unused_data
        # Padding with zeros after the last member is common practice, and gzip(1) ignores it.
        if not data.strip(b"\0"):
            return output
    raise CodingError("too many members")


def _zlib() -> Member:
    return zlib.decompressobj(_ANY_HEADER)


def _raw_deflate() -> Member:
    return zlib.decompressobj(_RAW)


def _zstd() -> Member:
    library = _zstd_library()
    options = {library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    member: Member = library.ZstdDecompressor(options=options)
    return member


class _Br:
    """A br stream, in the shape of the others. To its library, bytes after the end are an error."""

    __slots__ = ("_decoder",)

    unused_data = b""

    def __init__(self) -> None:
        import brotli

        self._decoder = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return bool(self._decoder.is_finished())

    def decompress(self, data: bytes | bytearray, max_length: int, /) -> bytes:
        """All that `data` becomes, or at least `max_length` bytes, and hardly more."""
        decoder, pieces, size = self._decoder, [], 0
        while size < max_length:
            limit = min(max_length - size, _BR_STEP_BYTES)
            pieces.append(decoder.process(bytes(data), output_buffer_limit=limit))
            size += len(pieces[-1])
            if len(pieces[-1]) < limit:
                break
            data = b""
        return b"".join(pieces)


_MEMBERS: Mapping[str, Callable[[], Member]] = {
    "gzip": _zlib,
    "x-gzip": _zlib,
    "deflate": _zlib,
    "br": _Br,
    "zstd": _zstd,
}


def _zstd_library() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
