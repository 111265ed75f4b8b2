"""The metrics of data quality over time, of odd rows and of segments. A part of the catalogue."""

from sidecar.metric import Metric, MetricKind, Shed, model_metric

COUNTER, GAUGE, HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

FEATURE_PROBLEMS = (
    "null_surge", "type_change", "unseen_category_surge", "out_of_range_surge", "stuck", "unit_change",
    "stale",
)  # fmt: skip
ROW_PROBLEMS = ("duplicated",)
# A second (streamed features) to a month (a table that is rebuilt): steps people speak of.
_AGES = (
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 4 * 3_600.0, 12 * 3_600.0, 86_400.0, 3 * 86_400.0,
    7 * 86_400.0, 30 * 86_400.0,
)  # fmt: skip

FEATURE_PROBLEM = model_metric(
    "inference_feature_problem", GAUGE,
    "1 while the recent values of a feature are not what they used to be; 0 when that is over.",
    "feature", "problem", capped=("feature",), closed={"problem": FEATURE_PROBLEMS}, shed=Shed.FEATURES,
)  # fmt: skip
FEATURE_PROBLEMS_BEGUN = model_metric(
    "inference_feature_problems_total", COUNTER, "Times that a problem with a feature's values began.",
    "problem", unit="{problem}", closed={"problem": FEATURE_PROBLEMS},
)  # fmt: skip
ROW_PROBLEM = model_metric(
    "inference_row_problem", GAUGE, "1 while the recent rows as such are not what they used to be.",
    "problem", closed={"problem": ROW_PROBLEMS},
)  # fmt: skip
DUPLICATE_ROWS = model_metric(
    "inference_duplicate_rows_total", COUNTER, "Rows equal to one of the last few thousand of their model.",
    unit="{row}",
)  # fmt: skip
FEATURE_AGE = model_metric(
    "inference_feature_age_seconds", HISTOGRAM, "Age of a timestamp feature when its row arrived.",
    "feature", unit="s", buckets=_AGES, capped=("feature",), shed=Shed.SUMMARIES,
)  # fmt: skip
OUT_OF_DISTRIBUTION_ROWS = model_metric(
    "inference_out_of_distribution_rows_total", COUNTER,
    "Rows with numbers further out than the reference lets expect of one row in a few thousand.",
    unit="{row}",
)  # fmt: skip

_SEGMENT = ("segment", "value")
SEGMENT_REQUESTS = model_metric(
    "inference_segment_requests_total", COUNTER, "Inference requests, by segment.",
    *_SEGMENT, unit="{request}", capped=("value",), shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_ROWS = model_metric(
    "inference_segment_rows_total", COUNTER, "Rows, by segment.",
    *_SEGMENT, unit="{row}", capped=("value",), shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_ROWS_COMPLETE = model_metric(
    "inference_segment_rows_complete_total", COUNTER, "Complete rows, by segment.",
    *_SEGMENT, unit="{row}", capped=("value",), shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_UNAVAILABLE = model_metric(
    "inference_segment_unavailable_values_total", COUNTER,
    "Values of each feature that were missing, null, NaN, infinite or of the wrong type, by segment.",
    *_SEGMENT, "feature",
    unit="{value}", capped=("value", "feature"), limit=10_000, shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_DRIFT_ACTIVE = model_metric(
    "inference_segment_drift_active", GAUGE,
    "1 while a verdict stands about the rows of a segment's value; no series while none does. `folded`: one "
    "of all rows says it.",
    *_SEGMENT, "kind", "name", "state",
    capped=("value", "name"), closed={"kind": ("feature", "output"), "state": ("alone", "folded")},
    limit=5_000, shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_DRIFT_JUDGED = model_metric(
    "inference_segment_drift_judged", GAUGE,
    "1 when drift is judged within a segment's value, 0 while what is usual for it is learnt.",
    *_SEGMENT, capped=("value",), shed=Shed.SEGMENTS,
)  # fmt: skip
SEGMENT_DRIFT_ROWS = model_metric(
    "inference_segment_drift_rows_total", COUNTER,
    "Rows by whether drift is judged within their segment's value; `unjudged`: none, or one past the cap.",
    "segment", "state",
    unit="{row}", closed={"state": ("judged", "learning", "unjudged")}, shed=Shed.SEGMENTS,
)  # fmt: skip

ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
