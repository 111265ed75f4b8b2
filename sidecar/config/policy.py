"""The settings that traffic is judged by, for all models or for one: expectations, objectives, drift.

What a section says is laid over the policy of all models.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, PlainValidator

from sidecar.config.budget import budget as as_budget
from sidecar.config.budget import seconds_between
from sidecar.config.expressions import Expression, NamesOrExpression, PathPattern
from sidecar.config.objectives import QualitySection, SlosSection
from sidecar.config.section import Conflict, Section
from sidecar.config.values import (
    AS_DURATION,
    Category,
    ColumnTypeValue,
    FilePath,
    Flag,
    Header,
    Name,
    Number,
    Runbook,
    duration,
    one_of,
    whole,
)
from sidecar.policy import ModelPolicy, PayloadRule, Segment
from sidecar.reference import ColumnType, Expectation


class FeatureSection(Section):
    """What is expected of one feature. What is not said is taken from the reference."""

    type: ColumnTypeValue | None = Field(
        default=None,
        description="`number category boolean text timestamp`.",
    )
    required: Flag | None = Field(
        default=None,
        description="Whether a row without it is incomplete; default: when the reference hardly lacks it.",
    )
    min: Number | None = Field(default=None, description="Smallest valid number.")
    max: Number | None = Field(default=None, description="Largest valid number.")
    values: list[Category] | None = Field(
        default=None,
        description="The valid categories; they may become label values.",
    )
    max_age: Annotated[float, PlainValidator(duration("1s", "3650d")), AS_DURATION] | None = Field(
        default=None,
        description="Oldest valid timestamp, counted from the request.",
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Bounds the wrong way round, and bounds of another type than the feature's."""
        if self.min is not None and self.max is not None and self.min > self.max:
            yield "min", f"{self.min:g} is above max ({self.max:g}); swap them"
        if self.values == []:
            yield "values", "an empty list would make every value invalid; leave it out"
        for key, of in (
            ("min", ColumnType.NUMBER),
            ("max", ColumnType.NUMBER),
            ("max_age", ColumnType.TIMESTAMP),
        ):
            if getattr(self, key) is not None and self._type is not of:
                yield key, f"only a {of} has it, and this is a {self._type}; leave one of them out"
        if self.values is not None and self._type not in (ColumnType.CATEGORY, ColumnType.TEXT):
            yield "values", f"only a category has them, and this is a {self._type}; leave one of them out"

    @property
    def _type(self) -> ColumnType | None:
        """The type, said or implied by what else was said."""
        if self.type is not None:
            return self.type
        if self.values is not None:
            return ColumnType.CATEGORY
        if self.max_age is not None:
            return ColumnType.TIMESTAMP
        return None if self.min is None and self.max is None else ColumnType.NUMBER

    def expectation(self) -> Expectation:
        """What monitors work with."""
        values = None if self.values is None else tuple(self.values)
        return Expectation(self._type, self.required, self.min, self.max, values, self.max_age)


class SegmentSection(Section):
    """A way to divide traffic: by a feature or by a header of the request."""

    feature: Name | None = Field(
        default=None, description="A feature; its values are taken as categories.", examples=["region"]
    )
    header: Header | None = Field(
        default=None, description="A header of the request; none with credentials.", examples=["x-tenant"]
    )
    limit: Annotated[int, PlainValidator(whole(1, 100, "values"))] = Field(
        default=20,
        description="So many values are told apart, the rest is `__other__`: each costs a series a feature.",
    )
    drift: Flag = Field(
        default=True, description="Judge drift within each value, too: 12 kB a feature and value."
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Neither a feature nor a header, or both."""
        if (self.feature is None) == (self.header is None):
            missing = "" if self.feature else "missing; "
            yield (
                ("header" if self.feature else "feature"),
                f"{missing}a segment has a feature or a header, one of the two",
            )


class DriftSection(Section):
    """How drift is judged."""

    page: Flag | None = Field(
        default=None,
        description="Default true: severe drift pages. false: drift is never more than a ticket.",
    )
    budget: Annotated[str, PlainValidator(as_budget)] | None = Field(
        default=None,
        description="How many false pages of drift you bear: `N false pages per model per "
        "hour|day|week|month|year`. Default `1 false page per model per year`.",
        examples=["1 false page per model per year"],
    )
    replicas: Annotated[int, PlainValidator(whole(1, 100_000, "replicas"))] | None = Field(
        default=None,
        description="How many replicas of the model share the budget. Default 1.",
    )


class PayloadSection(Section):
    """Where things are in JSON of no known protocol, in JMESPath. Protocols we know are never overruled."""

    paths: list[PathPattern] = Field(
        default=[],
        description="Which requests: paths, in which `*` stands for any characters. Default: POSTs of JSON "
        "that no protocol claims. Needed under a model.",
        examples=["/fraud/*"],
    )
    rows: Expression | None = Field(
        default=None,
        description="The rows in a request: a list with an item for each, an object of lists, or one row. "
        "Default: where they usually are.",
        examples=["data.rows"],
    )
    features: NamesOrExpression | None = Field(
        default=None,
        description="The names of the features where rows are lists: a list of names, or where in the "
        "request they are. Default: `input[0]`, `input[1]`…",
        examples=["[age, income]"],
    )
    predictions: Expression | None = Field(
        default=None,
        description="The predictions in an answer, one for each row. Default: where they usually are.",
        examples=["result[].score"],
    )
    id: Expression | None = Field(
        default=None,
        description="The request's id, in the request or the answer. Default: `id`, or the usual headers.",
    )
    model: Expression | None = Field(
        default=None, description="The model's name, in the request or the answer."
    )
    version: Expression | None = Field(
        default=None, description="The model's version, in the request or the answer."
    )

    def rule(self, base: PayloadRule, for_model: str = "") -> PayloadRule:
        """`base` with what is said here on top."""
        said = {key: value for key in type(self).model_fields if (value := getattr(self, key))}
        if "paths" in said:
            said["paths"] = tuple(said["paths"])
        return replace(base, **said, for_model=for_model)


class JudgedSection(Section):
    """What traffic is judged by: the keys that stand both at the top and under a model."""

    reference: FilePath | None = Field(default=None, description="Profile made by `sidecar profile`.")
    features: dict[str, FeatureSection] = Field(default={}, description="Expectations, by feature.")
    features_from: Annotated[str, PlainValidator(one_of("reference", "traffic"))] | None = Field(
        default=None,
        description="Default `reference`: the columns of a matrix, which have no names in traffic, get "
        "those of `reference`, in its order, if it has exactly as many. `traffic`: they stay `x[0]`…",
    )
    segments: dict[str, SegmentSection] = Field(
        default={}, description="Ways to divide traffic, such as tenant or region: `inference_segment_*`."
    )
    slos: SlosSection = Field(default=SlosSection(), description="Objectives.")
    drift: DriftSection = Field(default=DriftSection(), description="How drift is judged.")
    quality: QualitySection = Field(
        default=QualitySection(), description="How a prediction is compared with its label."
    )
    payload: PayloadSection = Field(
        default=PayloadSection(), description="Where things are in JSON of no known protocol."
    )

    def policy(self, base: ModelPolicy, owner: str | None, runbook: str | None) -> ModelPolicy:
        """`base` with what is said here on top."""
        expectations = {name: feature.expectation() for name, feature in self.features.items()}
        return ModelPolicy(
            objectives=self.slos.objectives(base.objectives),
            expectations={**base.expectations, **expectations},
            reference=self.reference or base.reference,
            drift_page=base.drift_page if self.drift.page is None else self.drift.page,
            drift_seconds_per_page=(
                seconds_between(self.drift.budget) if self.drift.budget else base.drift_seconds_per_page
            ),
            drift_replicas=self.drift.replicas or base.drift_replicas,
            judgement=self.quality.applied(base.judgement),
            features_from=self.features_from or base.features_from,
            owner=owner or base.owner,
            runbook=runbook or base.runbook,
            segments=self._segments(base.segments),
        )

    def _segments(self, base: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """Those of `base`, and in place of, or besides them, what is said here."""
        said = {
            name: Segment(name, each.feature or "", each.header or "", each.limit, each.drift)
            for name, each in self.segments.items()
        }
        return tuple({**{segment.name: segment for segment in base}, **said}.values())


class PolicySection(JudgedSection):
    """What is said for one model, or for `*`: every model that has no entry of its own."""

    later = frozenset({"metrics"})
    owner: Name | None = Field(default=None, description="Who is paged: `owner` on its alerts.")
    runbook: Runbook | None = Field(
        default=None,
        description="Where the on-call engineer reads on: `model_runbook_url` on its alerts.",
    )
    approved_versions: list[Name] | None = Field(
        default=None,
        description="The versions that may answer; any other raises a ticket. Default: any may.",
        examples=['["3", "4"]'],
    )

    def applied(self, base: ModelPolicy) -> ModelPolicy:
        """The policy of this model, given that of all models."""
        approved = base.approved_versions if self.approved_versions is None else tuple(self.approved_versions)
        return replace(self.policy(base, self.owner, self.runbook), approved_versions=approved)
