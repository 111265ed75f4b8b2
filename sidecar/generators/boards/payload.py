"""What goes into the models: which features are there, and what is wrong with the others."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, RED, About, Panel, Query, bars, graph
from sidecar.generators.boards.queries import UNAVAILABLE, busy, rate, share
from sidecar.generators.links import Links

_OF = ("model_name", "feature")


def features(links: Links) -> list[Panel]:
    """The panels of the row."""
    return [_availability(links), states(), complete()]


def _availability(links: Links) -> Panel:
    values = catalog.FEATURE_VALUES
    about = About(
        "Feature availability, worst first",
        "Share of values that are there: not missing, null, NaN or of the wrong type.",
        "percentunit",
        links.runbook("InferenceFeatureAvailabilityBurn"),
    )
    there = f"1 - ({share(values, UNAVAILABLE, *_OF)} or 0 * {rate(values, *_OF)})"
    query = Query(f"sort(bottomk(10, {there}))", "{{feature}} {{model_name}}")
    return bars(about, query, width=8, steps=((None, RED), (0.99, AMBER), (0.999, GREEN)))


def missing() -> Panel:
    """Which features are not usable, over time."""
    about = About(
        "Unavailable values by feature",
        "Share that is missing, null, NaN, infinite or of the wrong type; features without any are left out.",
        "percentunit",
    )
    shares = share(catalog.FEATURE_VALUES, UNAVAILABLE, "feature")
    return graph(about, Query(busy(shares, "feature"), "{{feature}}"), width=8)


def states() -> Panel:
    """Values that are not valid, by what is wrong."""
    values = catalog.FEATURE_VALUES
    about = About(
        "Values that are not valid", "Share of all feature values, by what is wrong.", "percentunit"
    )
    wrong = f"""{rate(values, "state", where='state!="valid"')} / scalar({rate(values)})"""
    return graph(about, Query(busy(wrong, "state"), "{{state}}"), width=8, stacked=True)


def complete() -> Panel:
    """Rows with every required feature."""
    about = About("Rows complete", "Share of rows with every required feature usable.", "percentunit")
    query = f"{rate(catalog.ROWS_COMPLETE, 'model_name')} / {rate(catalog.ROWS, 'model_name')}"
    return graph(about, Query(query, "{{model_name}}"), width=8)
