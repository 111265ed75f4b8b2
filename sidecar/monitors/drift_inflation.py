"""How much more the means of batches vary than those of independent rows would: the variance inflation.

Rows of one minute resemble each other: an autoregression of .9 has 19 times the variance of independent rows,
and a test that does not know it is wrong by as much. Measured on the first batches over stretches of 1, 4 and
16 of them, and taken seriously only when it is more than chance makes of so few. The trap: a break in those
batches is no property of the data, so a single score counts for three deviations at most.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The stretch, and how many standard errors above 1 its ratio must be to be believed: the upper tail of
# chi-square is long where there are few stretches.
_STRETCHES = ((1, 2.0), (4, 2.0), (16, 3.0))
# Of batches, shorter than what an hour does; differences are known half as well.
_SHORT = (1, 4)
# Of an autoregression of .5, the scale of one column in eight looks independent after 80 batches: most false
# tickets about such rows were theirs.
_FEWER = 0.25
# Four batches of independent rows vary by 1.0 (the median of a model's signals, which half of them must
# exceed), of an AR of .9 by 1.2, of ten such tenants by 2.
DEPENDENT, _REMEMBERED = 4, 1.5
_MEDIAN_OF_SQUARE = 0.455  # of a standard normal
_LARGEST = 3.0


def variance_inflation(scores: Floats, kinds: npt.NDArray[np.intp] | None = None) -> Floats:
    """Of standardised batch scores, shape (batches, signals), NaN where a batch said nothing; at least 1.

    With `kinds`, shape (signals,), a signal has at least what three quarters of its kind have: rows come to
    all columns in one order, and the batches of burn-in say too little of each alone.
    """
    found = np.ones(scores.shape[1])
    if not len(scores):
        return found
    calm = _without_breaks(scores)
    running = np.cumsum(np.vstack([np.zeros(scores.shape[1]), calm]), axis=0)
    for length, errors in _STRETCHES:
        if len(scores) < 4 * length:
            break
        sums = running[length:] - running[:-length]
        ratio = np.mean(sums**2, axis=0) / length
        error = errors * np.sqrt(2 * length / len(scores))
        # A ratio from few stretches may as well be too small by that error.
        upper = ratio * (1 + error if length == 1 else 1.0)
        found = np.maximum(found, np.where(ratio > 1 + error, upper, 1.0))
    for kind in () if kinds is None else np.unique(kinds).tolist():
        found[kinds == kind] = np.maximum(found[kinds == kind], np.quantile(found[kinds == kind], _FEWER))
    return found


def dependent_batches(scores: Floats) -> int:
    """How many batches to put together for a test that takes them as independent: 1, or DEPENDENT.

    Rows of ten tenants in turn, each an autoregression of .9, are remembered ten times as long as one
    alone, over batches; a window that takes these for independent finds changes all day.
    """
    if len(scores) < 4 * DEPENDENT:
        return 1
    calm = _without_breaks(scores)
    running = np.cumsum(np.vstack([np.zeros(scores.shape[1]), calm]), axis=0)
    single = np.mean(calm**2, axis=0)
    joined = np.mean((running[DEPENDENT:] - running[:-DEPENDENT]) ** 2, axis=0) / DEPENDENT
    ratios = joined[single > 0] / single[single > 0]
    return DEPENDENT if len(ratios) and float(np.median(ratios)) > _REMEMBERED else 1


def noise_inflation(scores: Floats) -> Floats:
    """The same without what comes and goes slowly: from the differences of neighbouring stretches.

    A rhythm, or a trend, moves neighbours together and does not count; at least 1.
    """
    found = np.ones(scores.shape[1])
    calm = _without_breaks(scores) if len(scores) else scores
    running = np.cumsum(np.vstack([np.zeros(scores.shape[1]), calm]), axis=0)
    for length in _SHORT:
        if len(scores) < 4 * length:
            break
        sums = running[length:] - running[:-length]
        ratio = np.mean((sums[length:] - sums[:-length]) ** 2, axis=0) / (2 * length)
        error = 2.0 * np.sqrt(3 * length / len(scores))
        found = np.maximum(found, np.where(ratio > 1 + error, ratio, 1.0))
    return found


def _without_breaks(scores: Floats) -> Floats:
    """Centred on their median, cut at three deviations; nothing said is 0."""
    known = np.where(np.isfinite(scores).any(axis=0), scores, 0.0)
    centred = np.nan_to_num(known - _median(known))
    deviation = np.sqrt(np.maximum(_median(centred**2) / _MEDIAN_OF_SQUARE, 1.0))
    return np.asarray(np.clip(centred, -_LARGEST * deviation, _LARGEST * deviation))


def _median(values: Floats) -> Floats:
    """Of each column, NaN left out; `numpy.nanmedian` takes five times as long, and loads `numpy.ma`."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = len(values) - np.isnan(values).sum(axis=0)
    middle = [np.take_along_axis(ordered, at[None], axis=0)[0] for at in ((count - 1) // 2, count // 2)]
    return np.asarray((middle[0] + middle[1]) / 2)
