"""The settings of objectives, and of how predictions are compared with their labels."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, PlainValidator

from sidecar.config.section import Section
from sidecar.config.values import (
    AS_DURATION,
    Category,
    Name,
    Number,
    Percentage,
    duration,
    not_negative,
    one_of,
)
from sidecar.policy import Judgement
from sidecar.slo import Objective


class ObjectiveSection(Section):
    """A share of good events to reach."""

    objective: Percentage = Field(description="Percentage of good events to reach.", examples=["99.9"])


class LatencySection(ObjectiveSection):
    """How many answers must be fast enough."""

    threshold: Annotated[float, PlainValidator(duration("1ms", "1h")), AS_DURATION] = Field(
        description="An answer that takes longer is a bad event. A client that leaves after this long with "
        "no answer counts against availability.",
        examples=["200ms"],
    )


class FirstTokenSection(ObjectiveSection):
    """How many streamed answers must begin soon enough."""

    threshold: Annotated[float, PlainValidator(duration("1ms", "1h")), AS_DURATION] = Field(
        description="A stream whose first content comes later is a bad event.",
        examples=["1s"],
    )


class QualityObjectiveSection(ObjectiveSection):
    """How many labelled predictions must turn out right."""

    tolerance: Annotated[float, PlainValidator(not_negative)] | None = Field(
        default=None,
        description="How far off a predicted number may be and still be right, in the label's unit. Needed "
        "for models that predict numbers, without it they are not judged; classes are right or wrong.",
        examples=["0.1"],
    )


class SlosSection(Section):
    """The objectives. Availability and feature availability always exist; the others when set."""

    availability: ObjectiveSection | None = Field(
        default=None,
        description="Default 99.9 %: what any service should reach.",
    )
    latency: LatencySection | None = Field(
        default=None,
        description="Off by default: nobody but you knows how fast is fast enough.",
    )
    time_to_first_token: FirstTokenSection | None = Field(
        default=None,
        description="Off by default. Streamed answers only; `latency` is about the others.",
    )
    feature_availability: ObjectiveSection | None = Field(
        default=None,
        description="Default 99.9 %: a model cannot do without its features.",
    )
    prediction_validity: ObjectiveSection | None = Field(
        default=None,
        description="Off by default: a single invalid prediction already raises a ticket.",
    )
    freshness: ObjectiveSection | None = Field(
        default=None,
        description="Off by default. Rows in which no timestamp is older than the `max_age` of its feature, "
        "of which there must be one.",
    )
    quality: QualityObjectiveSection | None = Field(
        default=None,
        description="Off by default. Predictions whose label came: right, or within `tolerance`; those "
        "without a label are left out.",
    )

    def objectives(self, base: tuple[Objective, ...]) -> tuple[Objective, ...]:
        """`base` with the objectives set here in place of, or besides, its own."""
        chosen = {objective.slo: objective for objective in base}
        for slo in type(self).model_fields:
            section = getattr(self, slo)
            if section is not None:
                threshold = getattr(section, "threshold", None)
                tolerance = getattr(section, "tolerance", None)
                chosen[slo] = Objective(slo, section.objective, threshold, tolerance)
        return tuple(chosen.values())


class QualitySection(Section):
    """How a prediction is compared with its label."""

    output: Name | None = Field(
        default=None,
        description="Which output is judged where an answer has several. Default: the first that holds "
        "classes, else the second of two probabilities, else the highest of more, else the first.",
        examples=["predict_proba[1]"],
    )
    task: Annotated[str, PlainValidator(one_of("auto", "classification", "regression"))] | None = Field(
        default=None,
        description="Default `auto`: numbers with labels other than 0 and 1 are a regression unless both are "
        "whole; say it where the numbers could be either.",
    )
    positive: Category | None = Field(
        default=None,
        description="The class that precision, recall and F1 are of, and that a score is the probability of. "
        "Default 1 (or true) where there are only 0 and 1, else the mean over all classes.",
        examples=["fraud"],
    )
    threshold: Number | None = Field(
        default=None,
        description="Default 0.5: a score of at least this predicts the positive class. A share, unless "
        "`task` is `classification`: then scores may be anything, such as log-odds.",
    )

    def applied(self, base: Judgement) -> Judgement:
        """`base` with what is said here on top."""
        said = {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}
        return replace(base, **said)
