"""What was promised, and how fast the error budgets are spent now."""

from sidecar.generators.boards.panels import AMBER, GREEN, RED, About, Panel, Query, graph, listing, number
from sidecar.generators.boards.queries import ALERTS, burn
from sidecar.generators.links import Links

# Labels of a series that only the scrape cares about.
_SCRAPE_LABELS = ("alertstate", "cluster", "container", "endpoint", "instance", "job", "namespace", "pod")


def objectives(links: Links) -> list[Panel]:
    """The panels of the row."""
    burning = ((None, GREEN), (1, AMBER), (6, RED))
    strip = [
        number(
            About(
                f"{title} burn",
                f"How many times faster than allowed the error budget for {meaning} is spent now; the worst "
                "three models. 1 lasts exactly 30 days, 14.4 spends 2 % of it in an hour.",
                "none",
                links.runbook(alert),
            ),
            Query(f"topk(3, {burn(slo)} >= 0)", "{{model_name}}"),
            width=4,
            steps=burning,
            otherwise="no traffic or no objective",
        )
        for slo, title, meaning, alert in (
            ("availability", "Availability", "requests that fail", "InferenceAvailabilityBurn"),
            ("latency", "Latency", "answers slower than the threshold", "InferenceLatencyBurn"),
            (
                "time_to_first_token",
                "First token",
                "streamed answers that begin later than the threshold",
                "InferenceTimeToFirstTokenBurn",
            ),
            (
                "feature_availability",
                "Feature availability",
                "rows without a required feature",
                "InferenceFeatureAvailabilityBurn",
            ),
            (
                "prediction_validity",
                "Prediction validity",
                "predictions that cannot be used",
                "InferencePredictionValidityBurn",
            ),
        )
    ]
    pages = About("Pages firing", "Alerts of severity page that fire now.", "none")
    firing = f'count({ALERTS[:-1]},severity="page"}}) or vector(0)'
    strip.append(
        number(pages, Query(firing, "pages"), width=4, steps=((None, GREEN), (1, RED)), otherwise="0")
    )
    return [
        *strip,
        graph(
            About(
                "Budget burn by objective",
                "The worst model of each objective. Dashed: 1 (lasts 30 days), 6 and 14.4 (pages).",
                "none",
            ),
            Query(f"max by (slo) ({burn()})", "{{slo}}"),
            width=12,
            steps=((None, GREEN), (1, AMBER), (6, RED), (14.4, RED)),
        ),
        listing(
            About("Alerts firing", "What fires now, pages and tickets, for these models.", "none"),
            Query(ALERTS),
            width=12,
            hidden=_SCRAPE_LABELS,
            otherwise="nothing fires",
        ),
    ]
