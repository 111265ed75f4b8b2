"""What a metric is: one declaration gives its Prometheus name, its OTLP name and its label set."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Shed(IntEnum):
    """In which order families stop taking new series as the registry fills up: the highest first.

    What says whether the model serves at all comes last; what multiplies by values and bins comes first.
    """

    LAST = 0
    FEATURES = 1
    SUMMARIES = 2
    BINS = 3
    SEGMENTS = 4


class MetricKind(StrEnum):
    """The kinds we emit. Summaries are left out: they cannot be added up across replicas."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


OTHER = "__other__"
"""The label value that stands for everything past a cap."""

# What the standard OTLP -> Prometheus translation appends for a unit; the name must already end so.
_UNIT_SUFFIX = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    `name` is the Prometheus name, suffixes included. `unit` is the UCUM unit OTLP wants ("s", "By",
    "1" for a share, "{row}" for counts, "" for flags and scores). `capped` names the labels whose
    values come from traffic: they are the ones replaced by `__other__` past `limit` series.
    `otlp` is needed only where dots cannot be told from underscores by rule.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    capped: tuple[str, ...] = ()
    # 2,000 is the limit of the OpenTelemetry SDK; families that multiply by bins set their own.
    limit: int = 2_000
    otlp: str = ""
    shed: Shed = Shed.LAST
    closed: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def otlp_name(self) -> str:
        """The dotted name whose standard translation, with `unit` and kind, is `name` again."""
        if self.otlp:
            return self.otlp
        name = self.name.removesuffix("_total")
        name = name.removesuffix(_UNIT_SUFFIX.get(self.unit, ""))
        return name.replace("_", ".")

    @property
    def otlp_labels(self) -> tuple[str, ...]:
        """The name of each label as an attribute: those of OpenTelemetry's conventions have dots."""
        return tuple(map(_attribute, self.labels))


MODEL = ("model_name", "model_version")
"""The first labels of everything that is about a model."""


def model_metric(
    name: str, kind: MetricKind, help: str, *labels: str, capped: tuple[str, ...] = (), **more: object
) -> Metric:
    """A metric of a model and version, with further labels."""
    return Metric(name, kind, help, MODEL + labels, capped=MODEL + capped, **more)  # type: ignore[arg-type]


def _attribute(label: str) -> str:
    if label.startswith("gen_ai_"):
        return "gen_ai." + label.removeprefix("gen_ai_").replace("_", ".")
    return "error.type" if label == "error_type" else label
