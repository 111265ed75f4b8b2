"""Bodies: captured within bounds. `coding` frees them of their content coding.

A body is counted whatever its size; its bytes are kept only while they are of use, so the first problem
(a gap, the capture limit, no memory left) drops what was kept.
"""

from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.wire.coding import decode
from sidecar.wire.limits import Budget, Limits


class Capture:
    """One body as its pieces come."""

    __slots__ = ("_budget", "_data", "_limit", "problem", "size")

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._data: bytes | bytearray = b""
        self.size = 0
        self.problem: BodyProblem | None = None

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        self.size += len(data)
        if self.problem is not None:
            return
        if self.size > self._limit or not self._budget.take(len(data)):
            self.fail(BodyProblem.TOO_LARGE)
        elif not self._data:
            self._data = data
        else:
            # Thousands of small pieces are no thousands of objects.
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += data

    def miss(self, length: int) -> None:
        """Count `length` bytes that were not copied."""
        self.size += length
        self.fail(BodyProblem.GAP)

    def fail(self, problem: BodyProblem) -> None:
        """The body will not be whole: keep nothing of it. The first problem stays."""
        if self.problem is None:
            self.problem = problem
            self.drop()

    def drop(self) -> None:
        """Give the memory back."""
        self._budget.give_back(len(self._data))
        self._data = b""

    def finish(self, coding: str | None, limits: Limits) -> CapturedBody:
        """The body as decoders see it; the memory is no longer ours."""
        data = self._data
        if not data:
            return CapturedBody(b"", self.size, self.problem)
        self.drop()
        if coding is None:
            return CapturedBody(bytes(data), self.size)
        decoded, problem = decode(data, coding, limits)
        return CapturedBody(decoded, self.size, problem)
