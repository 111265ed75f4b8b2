"""What each rule says, for whoever reads the rule files: the comment above it.

By name, without the window at the end of a recording's; where a file has several rules of one name, the first
has the comment. What a whole group is about is said by the group. The trap: a comment that only repeats the
expression is none; it says why it is so, or what the shape of it does.
"""

import re

_WINDOW = re.compile(r"\d+[mhd]$")
_BURN = (
    "The budget burns faster than the tier bears, over the long window (it matters) and over the "
    "short one (it goes on); and there are enough bad events in both, so that one of three is no "
    "alarm. `< 1` takes a tier away where an objective is so low that no share of bad events burns it "
    "that fast."
)
_AGAINST_YESTERDAY = (
    "Half more than yesterday's share and then some, over half an hour and still over five minutes."
)
_EXPLAINED = {
    # --- objectives ---
    "slo:objective:ratio": (
        "What is promised, 0.999 of 99.9 %. Of replicas that differ during a rollout the strictest."
),
    "slo:error_budget:ratio": (
        "The share of events that may be bad. Rounded: in binary 1 - 0.999 is not 0.001."
),
    "slo:sli_error:ratio_rate": "The share of bad events: sums over all replicas and versions, then divided.",
    "slo:sli_bad_events:increase": "How many bad ones, for the floors of the alerts.",
    "slo:sli_events:increase": "How many in all; what is left of a budget is added up from these.",
    "InferenceLowTrafficFailures": (
        "Too few for any tier, but more than may be in a day, some in the last six hours and some "
        "before these."
),
    "slo:period_error_budget_remaining:ratio": (
        "1 - (bad / all events of thirty days) / (share that may be bad), in steps of five minutes. "
        "Where there are fewer days, of these."
),
    "inference_health:component:weight": "Only their proportions matter.",
    "model:inference_health_component:score": (
        "1 while the last hour burns no faster than it may, 0 from the burn of the fast tier on, "
        "linear between. Drift: less a half for a ticket, less all for a page that half of the "
        "replicas agree on."
),
    "model:inference_health:score": (
        "The weighted mean of the components there are: `* 0` sums the weights of these only."
),
    # --- the fleet ---
    "fleet:inference_reference_rows:max": (
        "All replicas have the same reference, so the maximum is any one of them."
),
    "fleet:inference_reference_bin_rows:max": "Rows of the reference in each bin: its share times its rows.",
    "fleet:inference_bin_rows:increase": (
        "Rows in each bin. The grid of those without a reference is left out."
),
    "fleet:inference_bin_used_rows:increase": (
        "Bins that are empty on both sides say nothing, nor does a column without rows."
),
    "fleet:inference_bin:ratio": "Shares, half a row added to each bin, so that no logarithm is of zero.",
    "fleet:inference_reference_bin:ratio": "The same of the reference, over the same bins.",
    "fleet:inference_psi:score": "Population stability index: sum of (p - q) ln(p / q).",
    "fleet:inference_psi_debiased:score": (
        "Without what two samples of one distribution differ by: (bins - 1) (1 / rows + 1 / rows of "
        "the reference)."
),
    "fleet:inference_js:score": "Jensen-Shannon: the mean distance of both from their middle.",
    "fleet:inference_tv:score": "Total variation: half of the sum of all differences, from 0 to 1.",
    # --- models ---
    "InferenceSegmentDrift": (
        "Replicas that hold the verdict, of those that judge the value; the column with most of them."
    ),
    "InferenceDrift": "The average of zeros and ones is the share of replicas that hold the verdict.",
    "InferencePredictionsInvalid": "One in a hundred is a ticket, one in ten a page; ten of them at least.",
    "model:inference_predictions:increase": "How many, for the floors of the alerts.",
    "model:inference_prediction_top:ratio": (
        "The share of the most frequent class, or, of numbers, of the fullest bin."
),
    "model:inference_prediction_mean:avg": "The mean of the replicas' means: they see the same traffic.",
    "model:inference_prediction_stddev:avg": "The same of the standard deviation.",
    "InferencePredictionsCollapsed": "Nearly all the same answer, where yesterday at most four in five were.",
    "InferenceScoreShifted": (
        "By more than the score varies (mean), or twice or half as wide; and by four times what "
        "yesterday's own ups and downs were, so that a daily rhythm is none."
),
    "model:inference_feature_values:increase": "Values in each state.",
    "model:inference_feature_state:ratio": "The share of each state in the values of a feature.",
    "model:inference_feature_range:max": (
        "From the smallest to the largest value on any replica; 0: they are all the same."
),
    "InferenceFeatureNullSurge": _AGAINST_YESTERDAY,
    "InferenceFeatureTypeChanged": _AGAINST_YESTERDAY,
    "InferenceFeatureUnseenCategories": _AGAINST_YESTERDAY,
    "InferenceFeatureOutOfRange": _AGAINST_YESTERDAY,
    "InferenceFeatureConstant": (
        "All values are equal on every replica, were not within the day, and are enough."
),
    "model:inference_feature_state:ratio_avg": "What is usual for a feature.",
    "model:inference_version_first_seen_timestamp_seconds:min": (
        "Every new pod sees its version for the first time, so the earliest that any replica said "
        "within a day."
),
    "InferenceModelVersionUnexpected": "Not in the list (0), on any replica, and it does answer.",
    "InferenceModelVersionChanged": "Younger than half an hour beside another version, or back again.",
    "model:inference_requests:rate": "How often a model is asked.",
    "InferenceTrafficUnusual": (
        "Against the same hour a week ago, over an hour and still over a quarter of one."
),
    "InferenceTrafficVanished": (
        "Asked an hour ago and not now; unless nobody asked at this hour a week ago either."
),
    "model:inference_requests_in_flight:sum": "Begun and not ended, on all replicas.",
    "InferenceSaturated": (
        "Three times as many open as in yesterday's busiest twentieth, for ten minutes and still."
),
    "model:inference_labels_matched:increase": "Labels that found their prediction.",
    "model:inference_label_lag_seconds:mean": "How long after its prediction a label came, on average.",
    "InferenceQualityDegraded": (
        "The share of labels whose replica finds quality fallen: a replica of few labels counts for "
        "little."
),
    "InferenceLabelsStopped": (
        "Labels in nearly every hour of the day before, or on both days before; none since, though "
        "the model is asked. `unless`, not `== 0`: after a restart there is no series. Nor at this "
        "time last week: a weekend."
),
    "InferenceLabelsLate": "Three times as late as in the week before, and by a quarter of an hour.",
    # --- canaries ---
    "track:inference_bad_events:increase": "Failures of canary and stable, each by itself.",
    "track:inference_errors:ratio": "The share of failures.",
    "track:inference_answers:increase": "Answers without an error.",
    "track:inference_latency_seconds:mean": "How long these took on average.",
    "track:inference_rows:increase": "Rows.",
    "track:inference_rows_complete:ratio": "The share of rows with every required feature.",
    "track:inference_prediction_bin:ratio": "The share of each bin in what was predicted.",
    "model:inference_canary_divergence:tv": (
        "Total variation of canary and stable; a bin that only one has counts in full."
),
    "InferenceCanaryWorse": (
        "`sum without (track)` takes the label away, so that both sides of a comparison meet."
),
    # --- the sidecar itself ---
    "InferenceSidecarAbsent": "Seen within six hours and not now (page); never seen at all (ticket).",
    "InferenceSidecarNoData": (
        "Bytes pass through a replica, and it has recognised nothing in them, not even a probe."
),
    "InferenceSidecarChunksDropped": (
        "Of the bytes relayed, the share that the observer never got; `skipped` are not wanted."
),
    "InferenceSidecarUndecoded": "The share of exchanges whose payload could not be read, for each reason.",
    "InferenceSidecarObserverRestarting": "A crash loop, not a rollout.",
    "InferenceSidecarObserverLag": "Every other number on the dashboard is that old.",
    "InferenceSidecarMergeFailing": (
        "Again and again for half an hour; a line that is there twice is left out for ever, and no "
        "news."
),
    "InferenceSidecarOtlpFailing": "Several in a quarter of an hour, and it goes on.",
    "InferenceMemoryNearLimit": (
        "Used over allowed: of the sidecar as it says itself, of the containers beside it as "
        "Kubernetes does."
),
    "InferenceUpstreamUnreachable": (
        "Refused, and not one success on any replica (page); refused at one replica (ticket)."
),
}  # fmt: skip


def explanation(name: str) -> str:
    """The comment above the rule `name`; "" for one that nobody has explained, which a test forbids."""
    if name.endswith("Burn"):
        return _BURN
    return _EXPLAINED.get(_WINDOW.sub("", name), "")
