"""A quantile estimated from histogram buckets, as Prometheus' `histogram_quantile` does it.

Inside a bucket observations are taken to be spread evenly, so the estimate is off by up to the width of
its bucket; beyond the last finite bound all that is known is "more than that bound".
Source: Prometheus documentation, "histogram_quantile()".
"""

from collections.abc import Iterable, Sequence

from sidecar.registry import Distribution


def quantile(q: float, bounds: Sequence[float], value: Distribution) -> float | None:
    """The estimate for `q` in 0..1; None without observations; the last bound if it lies beyond it.

    `bounds` are the finite upper bounds; the first bucket is taken to begin at zero, as ours do.
    """
    total = value.count
    if not total or not bounds:
        return None
    rank, seen = q * total, 0
    for i, upper in enumerate(bounds):
        inside = value.counts[i]
        if inside and seen + inside >= rank:
            lower = bounds[i - 1] if i else 0.0
            return lower + (upper - lower) * max(rank - seen, 0) / inside
        seen += inside
    return bounds[-1]


def merged(values: Iterable[Distribution], buckets: int) -> Distribution:
    """The sum of histograms with the same bounds; `buckets` counts +Inf."""
    together = Distribution([0] * buckets)
    for value in values:
        together.counts = [a + b for a, b in zip(together.counts, value.counts, strict=True)]
        together.sum += value.sum
    return together
