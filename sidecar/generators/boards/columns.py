"""The feature or output that is chosen: what it looks like now, in the reference, and over time.

`$column` is its name. Bins carry their bounds as text; `_ordered` gives each the number to sort it by.
"""

from sidecar import catalog
from sidecar.generators.boards.panels import PSI, About, Panel, Query, graph
from sidecar.generators.boards.queries import FLEET_PSI, MODEL, gauge, rate, recorded
from sidecar.generators.boards.tables import comparison

COLUMN = 'name="$column"'
_METRIC = catalog.DISTRIBUTION_ROWS.name
_FEATURE = 'feature="$column"'
_NUMBER = "-?[0-9.]+(?:e[+-]?[0-9]+)?"


def panels() -> list[Panel]:
    """The panels of the row."""
    return [_against_reference(), _over_time(), _scores(), _values(), _moments()]


def ordered(expr: str) -> str:
    """With the label `order`: the upper bound of the bin, past all others for the last; empty for classes."""
    bound = f'label_replace({expr}, "order", "$1", "bin", "(?:.*[.][.]|<=)({_NUMBER})")'
    return f'label_replace({bound}, "order", "1e99", "bin", ">.*")'


def bin_shares(where: str) -> str:
    """The share of each bin among the rows of the time range that `where` selects."""
    increase = f"increase({_METRIC}{{{MODEL},{where}}}[$__range])"
    return f"sum by (bin) ({increase}) / scalar(sum({increase})) > 0"


def _against_reference() -> Panel:
    about = About(
        "$column against its reference",
        "Share of rows in each bin, in the chosen time range and in the reference. Bins hold about as many "
        "rows of the reference each.",
        "percentunit",
    )
    reference = f"avg by (bin) ({catalog.REFERENCE_RATIO.name}{{{MODEL},{COLUMN}}}) > 0"
    sides = {"now": ordered(bin_shares(COLUMN)), "reference": ordered(reference)}
    return comparison(about, "bin", sides, width=12)


def _over_time() -> Panel:
    about = About(
        "$column over time",
        "Share of rows in each bin: level bands mean that nothing changes.",
        "percentunit",
    )
    rows = rate(catalog.DISTRIBUTION_ROWS, "bin", where=COLUMN)
    whole = rate(catalog.DISTRIBUTION_ROWS, where=COLUMN)
    return graph(about, Query(f"{rows} / scalar({whole}) > 0", "{{bin}}"), width=12, stacked=True)


def _scores() -> Panel:
    about = About(
        "Drift scores of $column",
        "Distances between recent rows and the reference: PSI (unbounded), Jensen-Shannon and total "
        "variation (0 to 1), as the worst replica has them; and the PSI of all replicas together. Dashed: "
        "PSI of 0.1 and 0.2.",
        "none",
    )
    every = Query(recorded(FLEET_PSI, where=COLUMN, how="max"), "psi, all replicas")
    one = Query(gauge(catalog.DRIFT_SCORE, "method", where=COLUMN), "{{method}}, worst replica")
    return graph(about, every, one, width=8, steps=PSI)


def _values() -> Panel:
    about = About(
        "Values of $column by state",
        "Share of each state among its values; empty for outputs and for a feature without nulls.",
        "percentunit",
    )
    states = rate(catalog.FEATURE_VALUES, "state", where=_FEATURE)
    whole = rate(catalog.FEATURE_VALUES, where=_FEATURE)
    return graph(about, Query(f"{states} / scalar({whole}) > 0", "{{state}}"), width=8, stacked=True)


def _moments() -> Panel:
    about = About(
        "Mean and spread of $column",
        "Over the last window, of numeric features: the mean, and one standard deviation to both sides.",
        "none",
    )
    mean = gauge(catalog.FEATURE_MEAN, where=_FEATURE, how="avg")
    spread = gauge(catalog.FEATURE_STDDEV, where=_FEATURE, how="avg")
    queries = (Query(f"{mean} + {spread}", "+1 σ"), Query(mean, "mean"), Query(f"{mean} - {spread}", "−1 σ"))
    return graph(about, *queries, width=8, floor=None)
