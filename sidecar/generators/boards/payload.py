"""What goes into the models and what comes out: features, predictions, drift."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, RED, About, Panel, Query, bars, graph, listing
from sidecar.generators.boards.queries import MODEL, rate, share
from sidecar.generators.links import Links

_NOT_VALID = 'state!="valid"'
_UNAVAILABLE = 'state=~"missing|null|nan|inf|wrong_type"'


def features(links: Links) -> list[Panel]:
    """The panels of the row."""
    values, of = catalog.FEATURE_VALUES, ("model_name", "feature")
    complete = f"{rate(catalog.ROWS_COMPLETE, 'model_name')} / {rate(catalog.ROWS, 'model_name')}"
    return [
        bars(
            About(
                "Feature availability, worst first",
                "Share of values that are there: not missing, null, NaN or of the wrong type.",
                "percentunit",
                links.runbook("InferenceFeatureAvailabilityBurn"),
            ),
            Query(
                f"sort(bottomk(10, 1 - ({share(values, _UNAVAILABLE, *of)} or 0 * {rate(values, *of)})))",
                "{{model_name}} {{feature}}",
            ),
            width=8,
            steps=((None, RED), (0.99, AMBER), (0.999, GREEN)),
        ),
        graph(
            About(
                "Values that are not valid", "Share of all feature values, by what is wrong.", "percentunit"
            ),
            Query(f"{rate(values, 'state', where=_NOT_VALID)} / scalar({rate(values)})", "{{state}}"),
            width=8,
            stacked=True,
        ),
        graph(
            About("Rows complete", "Share of rows with every required feature usable.", "percentunit"),
            Query(complete, "{{model_name}}"),
            width=8,
        ),
    ]


def predictions(links: Links) -> list[Panel]:
    """The panels of the row."""
    of = ("model_name", "output")
    invalid = f"{rate(catalog.PREDICTIONS_INVALID, *of, 'reason')} / on (model_name, output) group_left "
    verdicts = (
        f"max by (model_name, model_version, kind, name, level) ({catalog.DRIFT_ACTIVE.name}{{{MODEL}}})"
    )
    psi = f'{catalog.DRIFT_SCORE.name}{{{MODEL},method="psi"}}'
    return [
        listing(
            About(
                "Drift now",
                "Features and outputs whose verdict stands on at least one replica.",
                "none",
                links.runbook("InferenceDrift"),
            ),
            Query(f"{verdicts} == 1"),
            width=12,
            hidden=(),
            otherwise="no drift",
        ),
        graph(
            About(
                "Drift score (PSI), highest ten",
                "Population stability index against the reference, corrected for sampling. "
                "A high score alone notifies nobody: the verdict also asks for corroboration.",
                "none",
            ),
            Query(f"topk(10, max by (model_name, kind, name) ({psi}))", "{{model_name}} {{kind}} {{name}}"),
            width=12,
        ),
        graph(
            About("Predictions by class", "Predictions a second; numeric outputs have no class.", "cps"),
            Query(
                rate(catalog.PREDICTIONS, *of, "class"),
                "{{model_name}} {{output}} {{class}}",
            ),
            width=12,
            stacked=True,
        ),
        graph(
            About(
                "Predictions that cannot be used",
                "Share that is NaN, infinite, null or of the wrong shape. Dashed: ticket and page.",
                "percentunit",
                links.runbook("InferencePredictionsInvalid"),
            ),
            Query(invalid + rate(catalog.PREDICTIONS, *of), "{{model_name}} {{output}} {{reason}}"),
            width=12,
            steps=((None, GREEN), (0.01, AMBER), (0.1, RED)),
        ),
    ]
