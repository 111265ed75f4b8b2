"""What the operator wants for each model: objectives, expectations, reference. Plain values, no parsing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sidecar.inference import ModelRef
from sidecar.reference import Expectation
from sidecar.slo import DEFAULT_OBJECTIVES, Objective

# One false page of drift a year and model: ten models are less than one a month, which nobody notices. It is
# cheap, too: one a month would need 2.5 nats less of some 24, a tenth of the delay.
YEAR_SECONDS = 365.25 * 86400.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A way to divide traffic: by the value of a category, or by a header of the request, one of the two.

    `limit`: so many values have a name, the others share `__other__`. `drift`: judge it within each value.
    """

    name: str
    feature: str = ""
    header: str = ""
    limit: int = 20
    drift: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a prediction is compared with its label; "" and "auto": as the values say.

    `positive` is the class that a score is the probability of; a score of `threshold` predicts it.
    """

    output: str = ""
    task: str = "auto"
    positive: str = ""
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """Everything configured for one model. `reference` is a path; `drift_page` False keeps drift a ticket.

    `drift_seconds_per_page`: one false page of drift in so many seconds, by all `drift_replicas` together.
    `approved_versions` None means that any version may answer.
    `features_from` is "reference" or "traffic": whether the reference names the columns of a matrix.
    """

    objectives: tuple[Objective, ...] = DEFAULT_OBJECTIVES
    expectations: Mapping[str, Expectation] = field(default_factory=dict)
    reference: str | None = None
    drift_page: bool = True
    drift_seconds_per_page: float = YEAR_SECONDS
    drift_replicas: int = 1
    judgement: Judgement = Judgement()
    features_from: str = "reference"
    owner: str = ""
    runbook: str = ""
    approved_versions: tuple[str, ...] | None = None
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class PayloadRule:
    """Where things are in JSON of no known protocol: JMESPath expressions, "" where nothing is said.

    `features` are names, or an expression that finds them in the request. `for_model` is the model that
    such exchanges belong to when they do not say. `paths` are shell patterns in which `*` stands for any
    characters; without any, the rule holds for all JSON that no protocol claims.
    """

    paths: tuple[str, ...] = ()
    rows: str = ""
    features: str | tuple[str, ...] = ()
    predictions: str = ""
    id: str = ""
    model: str = ""
    version: str = ""
    for_model: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of every model: `models` by name, `default` for the rest.

    `model` is what an exchange is attributed to when the traffic does not say. `page_burn` is the steady burn
    rate of an error budget that pages; None is the rules' own.
    """

    default: ModelPolicy = ModelPolicy()
    models: Mapping[str, ModelPolicy] = field(default_factory=dict)
    model: ModelRef = ModelRef()
    page_burn: Decimal | None = None

    def headers(self) -> frozenset[str]:
        """The request headers that traffic is divided by."""
        policies = (self.default, *self.models.values())
        return frozenset(s.header for policy in policies for s in policy.segments if s.header)

    def of(self, model_name: str) -> ModelPolicy:
        """The policy for a model name."""
        return self.models.get(model_name, self.default)
