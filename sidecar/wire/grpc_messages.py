"""How many messages a gRPC body holds, by the five bytes before each: a flag and a length.

Only as far as is asked for: one message, or a stream of them. The messages themselves are not touched.
"""

_PREFIX_BYTES = 5


class Messages:
    """Counts the messages of one direction of one call, up to `MANY`."""

    __slots__ = ("_prefix", "_remaining", "count")

    MANY = 2

    def __init__(self) -> None:
        self._prefix = b""
        self._remaining = 0
        self.count = 0
        """0, 1, or MANY: more than one, or more than is known."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        at, end = 0, len(data)
        if not self.count and not self._prefix and _is_one(data):
            self.count = 1
            return
        while at < end and self.count < self.MANY:
            if self._remaining:
                taken = min(self._remaining, end - at)
                self._remaining -= taken
            else:
                taken = _PREFIX_BYTES - len(self._prefix)
                self._prefix += data[at : at + taken]
                self._begin()
            at += taken

    def miss(self, length: int) -> None:
        """Step over bytes that were not copied: inside one message that is known, or it is not known."""
        if length <= self._remaining:
            self._remaining -= length
        else:
            self.count = self.MANY

    def _begin(self) -> None:
        if len(self._prefix) == _PREFIX_BYTES:
            self._remaining = int.from_bytes(self._prefix[1:], "big")
            self._prefix = b""
            self.count += 1


def _is_one(data: bytes) -> bool:
    """Whether these bytes are one message, whole, as they nearly always are."""
    rest = len(data) - _PREFIX_BYTES
    return rest > 0 and int.from_bytes(data[1:_PREFIX_BYTES], "big") == rest
