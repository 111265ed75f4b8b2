"""Labels and quality of each model for the status page: pure, snapshot in, plain values out.

Not the page (`page`), not data quality. Figures are of the last labels there were, however long ago;
`lately` says whether any came in the window.
"""

from typing import Any

from sidecar import catalog_labels as catalog
from sidecar.admin.quantile import quantile
from sidecar.admin.window import Between
from sidecar.registry import Distribution

MAX_SHOWN = 50


def quality(between: Between) -> list[dict[str, Any]]:
    """Each model and version that labels came for, the worst first."""
    counted, lately = between.numbers(catalog.LABELS), between.increase(catalog.LABELS)
    of_labels = between.numbers(catalog.QUALITY_LABELS)
    lags, bounds = between.now(catalog.LABEL_LAG), catalog.LABEL_LAG.buckets
    fallen = between.numbers(catalog.QUALITY_DEGRADED)
    found = []
    for at in sorted({labels[:2] for labels, count in counted.items() if count} | set(of_labels)):
        states = {state: counted.get((*at, state), 0.0) for state in catalog.LABEL_STATES}
        ended = states["matched"] + states["pending_expired"]
        lag = lags.get(at)
        found.append(
            {"model_name": at[0], "model_version": at[1], "labels": states,
             "lately": lately.get((*at, "matched"), 0.0),
             "coverage_ratio": states["matched"] / ended if ended else None,
             "lag_p50_seconds": quantile(0.5, bounds, lag) if isinstance(lag, Distribution) else None,
             "judged": of_labels.get(at, 0.0), "degraded": bool(fallen.get(at)),
             "metrics": _metrics(between, at)}
        )  # fmt: skip
    return sorted(found, key=lambda q: not q["degraded"])[:MAX_SHOWN]


def _metrics(between: Between, at: tuple[str, ...]) -> dict[str, float]:
    every = {**between.numbers(catalog.QUALITY_RATIO), **between.numbers(catalog.QUALITY_VALUE)}
    return {metric: every[(*at, metric)] for metric in _ORDER if (*at, metric) in every}


_ORDER = (*catalog.RATIOS, *catalog.VALUES)
