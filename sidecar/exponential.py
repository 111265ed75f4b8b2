"""A base-2 exponential histogram: buckets as fine as 160 of them allow, without bounds chosen beforehand.

Source: OpenTelemetry Metrics Data Model, "ExponentialHistogram"; Metrics SDK, "Base2 Exponential Bucket
Histogram Aggregation" (scale 20 at most, 160 buckets). Bucket i holds values in (base**i, base**(i+1)], base
= 2**(2**-scale). What we measure is never negative; zero, and what is below, is counted apart.
"""

import math
from dataclasses import dataclass, field

MAX_BUCKETS = 160
MAX_SCALE = 20


@dataclass(slots=True)
class Exponential:
    """`counts` by bucket index at `scale`; `since` is wall clock, seconds."""

    since: float
    scale: int = MAX_SCALE
    zero: int = 0
    sum: float = 0.0
    counts: dict[int, int] = field(default_factory=dict)
    low: int = 0
    high: int = 0

    @property
    def count(self) -> int:
        """All observations."""
        return self.zero + sum(self.counts.values())

    def add(self, value: float) -> None:
        """Count one finite value."""
        self.sum += value
        if value <= 0.0:
            self.zero += 1
            return
        index = _index(value, self.scale)
        low, high = (min(index, self.low), max(index, self.high)) if self.counts else (index, index)
        shift = 0
        while (high >> shift) - (low >> shift) >= MAX_BUCKETS:
            shift += 1
        if shift:
            self._coarsen(shift)
            index, low, high = index >> shift, low >> shift, high >> shift
        self.low, self.high = low, high
        self.counts[index] = self.counts.get(index, 0) + 1

    def copy(self) -> "Exponential":
        """A copy that later observations do not change."""
        return Exponential(
            self.since, self.scale, self.zero, self.sum, dict(self.counts), self.low, self.high
        )

    def minus(self, before: "Exponential") -> "Exponential":
        """What came since `before`, an earlier copy of this one."""
        earlier = before.copy()
        earlier._coarsen(before.scale - self.scale)
        left = {index: count - earlier.counts.get(index, 0) for index, count in self.counts.items()}
        left = {index: count for index, count in left.items() if count}
        low, high = (min(left), max(left)) if left else (0, 0)
        zero = self.zero - before.zero
        return Exponential(self.since, self.scale, zero, self.sum - before.sum, left, low, high)

    def _coarsen(self, shift: int) -> None:
        coarse: dict[int, int] = {}
        for index, count in self.counts.items():
            coarse[index >> shift] = coarse.get(index >> shift, 0) + count
        self.counts, self.scale = coarse, self.scale - shift
        self.low, self.high = self.low >> shift, self.high >> shift


def _index(value: float, scale: int) -> int:
    """The bucket of a positive value. Exact at powers of two, where the logarithm is not."""
    fraction, exponent = math.frexp(value)
    if fraction == 0.5:
        exponent -= 1
        return (exponent << scale) - 1 if scale >= 0 else (exponent - 1) >> -scale
    if scale <= 0:
        return (exponent - 1) >> -scale
    return math.ceil(math.log2(value) * (1 << scale)) - 1
