"""Multi-window, multi-burn-rate rules from `inference_slo_events_total`.

A burn rate of 1 spends the error budget exactly at the end of 30 days. The long window says that it is
worth waking somebody, the short one that it still goes on. Source: Google, The Site Reliability
Workbook, chapter 5 "Alerting on SLOs", table 5-8; the waits are those of kubernetes-mixin.

Two ways to know the objective: the generic rules join `inference_slo_objective_ratio`, rules made for a
configuration carry its decimals. The trap: nothing here may depend on a histogram's `le`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sidecar.catalog import FEATURE_VALUES, SLO_EVENTS, SLO_OBJECTIVE, SLOS
from sidecar.generators import about_model, words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Record, Severity
from sidecar.policy import Policies
from sidecar.slo import Objective

# A burn alert needs this many bad events in its long and in its short window: one failure in ten requests
# an hour is a burn of 100, and no reason to wake anybody. Ten failures are not chance, three are not a retry.
MIN_BAD_LONG = 10
MIN_BAD_SHORT = 3
# From 40 a day on, failures reach the floors above even when they are spread evenly (ten in six hours).
LOW_TRAFFIC_BAD_PER_DAY = 40
# Asked when the alert is sent: who is paged should not have to look up what to call about.
_UNUSABLE_FEATURES = f"""
 Not usable most often in the last %s: {{{{ range $i, $found := query (printf \
`sort_desc(topk(5, sum by (feature, state) (rate({FEATURE_VALUES.name}{{\
state=~"missing|null|nan|inf|wrong_type",model_name=%%q,job=%%q,namespace=%%q,cluster=%%q}}[%s])) > 0))` \
$labels.model_name $labels.job $labels.namespace $labels.cluster) }}}}\
{{{{ if $i }}}}, {{{{ end }}}}{{{{ $found.Labels.feature }}}} ({{{{ $found.Labels.state }}}}){{{{ else }}}}\
nothing any more{{{{ end }}}}.""".replace("\n", "")


@dataclass(frozen=True, slots=True)
class Tier:
    """One pair of windows. `burn` is the share of a 30-day budget spent, times 30 days, over `long`."""

    name: str
    burn: Decimal
    long: str
    short: str
    wait: str
    severity: Severity


TIERS = (
    Tier("fast", Decimal("14.4"), "1h", "5m", "2m", Severity.PAGE),  # 2 % of the budget in an hour
    Tier("medium", Decimal("6"), "6h", "30m", "15m", Severity.PAGE),  # 5 % in six hours
    Tier("slow", Decimal("3"), "1d", "2h", "1h", Severity.TICKET),  # 10 % in a day
    Tier("long", Decimal("1"), "3d", "6h", "3h", Severity.TICKET),  # 10 % in three days
)
# Where a steady burn of less than the medium tier's is to page, the medium tier burns at that instead.
_STEADY = "medium"
_FAST_WINDOWS = ("5m", "30m", "1h", "2h", "6h")
# A window of a day moves slowly and costs most; lookback (5 m) still bridges two evaluations.
_SLOW_WINDOWS = ("1d", "3d")


def tiers_of(policies: Policies | None) -> tuple[Tier, ...]:
    """The tiers, with the burn that a configuration pages at (`paging.min_burn`)."""
    burn = policies.page_burn if policies is not None else None
    return tuple(replace(tier, burn=burn) if burn and tier.name == _STEADY else tier for tier in TIERS)


ALERT_OF = {
    "availability": "InferenceAvailabilityBurn",
    "latency": "InferenceLatencyBurn",
    "time_to_first_token": "InferenceTimeToFirstTokenBurn",
    "feature_availability": "InferenceFeatureAvailabilityBurn",
    "prediction_validity": "InferencePredictionValidityBurn",
    "freshness": "InferenceFreshnessBurn",
    "quality": "InferenceQualityBurn",
}
BAD_EVENT = {
    "availability": "inference requests fail",
    "latency": "answers are slower than the threshold",
    "time_to_first_token": "streamed answers begin later than the threshold",
    "feature_availability": "rows lack a required feature",
    "prediction_validity": "predictions are not usable (NaN, infinite, null or of the wrong shape)",
    "freshness": "rows hold data older than it may be",
    "quality": "labelled predictions turn out wrong",
}
# Labels are about predictions made hours or days ago: whoever gets up can save none of them.
_TICKETS_ONLY = frozenset({"quality"})


def severity_of(slo: str, tier: Tier) -> Severity:
    """What a tier does to a person, where the bad events are of this objective."""
    return Severity.TICKET if slo in _TICKETS_ONLY else tier.severity


@dataclass(frozen=True, slots=True)
class Target:
    """Series that share an objective: those of `model`, or of every model but `besides`.

    `objective` None means: joined from the metric.
    """

    slo: str
    objective: Decimal | None = None
    model: str | None = None
    besides: tuple[str, ...] = ()

    @property
    def matchers(self) -> str:
        """The label matchers of these series."""
        if self.model is not None:
            return f'{{slo="{self.slo}",model_name={_quoted(self.model)}}}'
        others = "|".join(re.escape(model) for model in self.besides)
        return f'{{slo="{self.slo}"' + (f",model_name!~{_quoted(others)}" if others else "") + "}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels that are the series' own already; said again, they tell two rules of one name apart."""
        return {"slo": self.slo} | ({} if self.model is None else {"model_name": self.model})

    def threshold(self, burn: Decimal) -> str | None:
        """What the error ratio is compared with; None if no error ratio could exceed it."""
        if self.objective is None:
            # `< 1` takes the tier away where the objective is so low that it could never fire.
            return f"({burn} * slo:error_budget:ratio < 1)"
        literal = burn * (1 - self.objective)
        return f"{literal.normalize():f}" if literal < 1 else None


def recordings(durations: Durations) -> list[Group]:
    """Error ratio and number of bad events over each window, and the budget they are compared with."""
    fast = [rule for window in _FAST_WINDOWS for rule in _recorded(window, durations)]
    every, events = SLO_EVENTS.name, by("model_name", "slo")
    # All of them, of five minutes: what is left of a budget is added up from these.
    fast.append(
        Record("slo:sli_events:increase5m", f"sum {events} (increase({every}[{durations.window('5m')}]))")
    )
    slow = [rule for window in _SLOW_WINDOWS for rule in _recorded(window, durations)]
    return [
        Group(
            "inference-slo-objectives", durations.wait("30s"), _WHY_OBJECTIVES, _objective_records(durations)
        ),
        Group("inference-slo-ratios", durations.wait("30s"), _WHY_RATIOS, fast),
        Group("inference-slo-ratios-slow", durations.wait("2m"), _WHY_SLOW_RATIOS, slow),
    ]


def alerts(durations: Durations, links: Links, policies: Policies | None = None) -> list[Group]:
    """One group an objective: four tiers, and the ticket for failures too few for any of them."""
    tiers = tiers_of(policies)
    return [_group(slo, found, tiers, durations, links) for slo in SLOS if (found := targets(slo, policies))]


def _objective_records(durations: Durations) -> list[Record]:
    # The last value bridges a restart of the only replica, which must not resolve its page.
    last = f"last_over_time({SLO_OBJECTIVE.name}[{durations.window('30m')}])"
    return [
        Record("slo:objective:ratio", f"max {by('model_name', 'slo')} ({last})"),
        # Rounded: in binary, 1 - 0.999 is a little more than a thousandth.
        Record("slo:error_budget:ratio", "round(1 - slo:objective:ratio, 1e-9)"),
    ]


def _recorded(window: str, durations: Durations) -> Iterator[Record]:
    grouping, span = by("model_name", "slo"), durations.window(window)
    bad, every = f'{SLO_EVENTS.name}{{result="bad"}}', SLO_EVENTS.name
    yield Record(
        f"slo:sli_error:ratio_rate{window}",
        f"sum {grouping} (rate({bad}[{span}]))\n/\nsum {grouping} (rate({every}[{span}]))",
    )
    yield Record(f"slo:sli_bad_events:increase{window}", f"sum {grouping} (increase({bad}[{span}]))")


def _group(
    slo: str, targets: Sequence[Target], tiers: Sequence[Tier], durations: Durations, links: Links
) -> Group:
    rules: list[Alert] = []
    dropped: list[str] = []
    for target in targets:
        for tier in tiers:
            threshold = target.threshold(tier.burn)
            if threshold is None:
                dropped.append(f"No {tier.name} tier for {target.matchers}: it could never fire.")
            else:
                rules.append(_burn(tier, target, threshold, durations, links))
        if not durations.shortened:  # a count over a day means nothing in a day of four minutes
            rules.append(_low_traffic(target, durations, links))
    why = "\n".join([f"{slo}: {BAD_EVENT[slo]}.", *dropped])
    return Group(f"inference-slo-{slo.replace('_', '-')}", durations.wait("30s"), why, rules)


def _burn(tier: Tier, target: Target, threshold: str, durations: Durations, links: Links) -> Alert:
    slo, at = target.slo, target.matchers
    expr = (
        f"slo:sli_error:ratio_rate{tier.long}{at} > {threshold}\n"
        f"and slo:sli_error:ratio_rate{tier.short}{at} > {threshold}\n"
        f"and slo:sli_bad_events:increase{tier.long}{at} >= {MIN_BAD_LONG}\n"
        f"and slo:sli_bad_events:increase{tier.short}{at} >= {MIN_BAD_SHORT}"
    )
    return Alert(
        ALERT_OF[slo],
        expr,
        severity_of(slo, tier),
        f"{words.MODEL}: {BAD_EVENT[slo]}",
        f"In the last {durations.window(tier.long)} {words.SHARE} of the events of "
        f"{words.MODEL} were bad for its {slo} objective: more than {tier.burn} times what the "
        f"error budget allows, and it goes on ({durations.window(tier.short)}).{_detail(slo, durations)}"
        f"{about_model.notes(durations)}",
        links.annotations(ALERT_OF[slo], model=True),
        wait=durations.wait(tier.wait),
        labels={"burnrate_tier": tier.name, **target.labels, **about_model.OWNER},
    )


def _detail(slo: str, durations: Durations) -> str:
    """What only one objective has to say."""
    window = durations.window("5m")
    return _UNUSABLE_FEATURES % (window, window) if slo == "feature_availability" else ""


def _low_traffic(target: Target, durations: Durations, links: Links) -> Alert:
    """Few failures, but again and again: where traffic is low no burn alert ever reaches its floor."""
    slo, at = target.slo, target.matchers
    # 0.5, not 1: `increase` extrapolates both windows by slightly different factors.
    expr = (
        f"slo:sli_error:ratio_rate1d{at} > {target.threshold(Decimal(1))}\n"
        f"and slo:sli_bad_events:increase1d{at} >= {MIN_BAD_SHORT}\n"
        f"and slo:sli_bad_events:increase1d{at} < {LOW_TRAFFIC_BAD_PER_DAY}\n"
        f"and slo:sli_bad_events:increase6h{at} >= 1\n"
        f"and slo:sli_bad_events:increase1d{at} - slo:sli_bad_events:increase6h{at} > 0.5"
    )
    name = "InferenceLowTrafficFailures"
    return Alert(
        name,
        expr,
        Severity.TICKET,
        f"{words.MODEL}: at low traffic, {BAD_EVENT[slo]} again and again",
        f"{words.SHARE} of the events of {words.MODEL} in the last day were bad "
        f"for its {slo} objective: too few for a burn-rate alert, but in the last six hours and before."
        f"{about_model.notes(durations)}",
        links.annotations(name, model=True),
        # The day is worked out less often than the six hours: while a burst begins, the two differ.
        wait=durations.wait("10m"),
        labels={**target.labels, **about_model.OWNER},
    )


def targets(slo: str, policies: Policies | None) -> list[Target]:
    """Whose events are judged by which objective. Without policies: whoever exports one."""
    if policies is None:
        return [Target(slo)]
    named = tuple(sorted(policies.models))
    found = [Target(slo, o, model=m) for m in named for o in _ratios(slo, policies.models[m].objectives)]
    return found + [Target(slo, o, besides=named) for o in _ratios(slo, policies.default.objectives)]


def _ratios(slo: str, objectives: Sequence[Objective]) -> list[Decimal]:
    return [objective.ratio for objective in objectives if objective.slo == slo]


def _quoted(text: str) -> str:
    """`text` as a PromQL string; JSON's escapes are a part of Go's, which PromQL uses."""
    return json.dumps(text, ensure_ascii=False)


_WHY_OBJECTIVES = """
What each model promises, and the share of events that may be bad.
"""
_WHY_RATIOS = """
Of the events of each objective, the share and the number of bad ones, over each window.
No traffic gives no ratio (0/0), and no ratio is never an alert.
"""
_WHY_SLOW_RATIOS = """
The same over days: these move slowly and cost most, so they are worked out less often.
"""
