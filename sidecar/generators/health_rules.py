"""What is left of each error budget, and one number for how a model is.

The budget is that of thirty days, from five-minute counts, so that it costs next to nothing. The score is a
weighted mean of components that stand beside it; it is for a list of fifty models, and nothing alerts on it.
The trap: a component that a model does not have must not count as well, so weights are of those there are.
"""

from sidecar.catalog import DRIFT_ACTIVE
from sidecar.generators.burn_rates import TIERS
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by, on
from sidecar.generators.model_rules import QUORUM
from sidecar.generators.rule import Group, Record

# What users feel first, then what makes the answers right, then how fast they come. Only their proportions
# matter: what a model does not have is left out of the sum. Documented in docs/alerting.md.
WEIGHTS = {
    "availability": "0.35",
    "feature_availability": "0.2",
    "drift": "0.2",
    "latency": "0.15",
    "time_to_first_token": "0.15",
    "prediction_validity": "0.1",
    "freshness": "0.1",
    "quality": "0.2",
}
# A component is 1 while its budget lasts (a burn of 1) and 0 where the fast tier would page.
_WORST = TIERS[0].burn
_TICKET_COSTS = "0.5"

_MODEL = by("model_name")
COMPONENT, WEIGHT = "model:inference_health_component:score", "inference_health:component:weight"
SCORE, BUDGET = "model:inference_health:score", "slo:period_error_budget_remaining:ratio"


def groups(durations: Durations) -> list[Group]:
    """Budgets and health. All of it is recorded."""
    weights = [Record(WEIGHT, f"vector({weight})", {"component": name}) for name, weight in WEIGHTS.items()]
    health = [*weights, _objectives(), _drift(), _score()]
    return [
        Group("inference-budget", durations.wait("5m"), _WHY_BUDGET, [_remaining(durations)]),
        Group("inference-health", durations.wait("30s"), _WHY_HEALTH, health),
    ]


def _remaining(durations: Durations) -> Record:
    steps = f"[{durations.window('30d')}:{durations.window('5m')}]"
    bad, every = (f"sum_over_time(slo:sli_{name}:increase5m{steps})" for name in ("bad_events", "events"))
    return Record(BUDGET, f"1 - {bad} / ({every} > 0) / slo:error_budget:ratio")


def _objectives() -> Record:
    burn = f"slo:sli_error:ratio_rate1h / {on('model_name', 'slo')} slo:error_budget:ratio"
    score = f"clamp(({_WORST} - {burn}) / {_WORST - 1}, 0, 1) >= 0"
    named = f'label_replace(\n    {score},\n    "component", "$1", "slo", "(.*)"\n  )'
    return Record(COMPONENT, f"max {by('model_name', 'component')} (\n  {named}\n)")


def _drift() -> Record:
    verdicts = by("model_name", "model_version", "kind", "name")
    ticket, page = (
        f'max {_MODEL} (avg {verdicts} ({DRIFT_ACTIVE.name}{{level="{level}"}}) >= bool {QUORUM})'
        for level in ("ticket", "page")
    )
    return Record(
        COMPONENT,
        f"1 - clamp_max(\n  {_TICKET_COSTS} * {ticket}\n  + {page},\n  1\n)",
        {"component": "drift"},
    )


def _score() -> Record:
    joined = "on (component) group_left ()"
    return Record(
        SCORE,
        f"sum {_MODEL} ({COMPONENT} * {joined} {WEIGHT})\n/\n"
        f"sum {_MODEL} ({COMPONENT} * 0 + {joined} {WEIGHT})",
    )


_WHY_BUDGET = """
What is left of the budget of thirty days: 1 is all of it, 0 is spent, below is overspent.
"""
_WHY_HEALTH = """
How each model is, from 0 to 1: a weighted mean of its components, which are recorded beside it.
"""
