"""The metrics of labels that arrive after their predictions, and of live quality. A part of the catalogue.

Not data quality: what features look like is in `catalog_quality`.
"""

from sidecar.metric import Metric, MetricKind, model_metric

COUNTER, GAUGE, HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

LABEL_STATES = ("matched", "pending_expired", "unknown", "duplicate")
REFUSALS = ("forbidden", "malformed", "too_large", "busy")
# Shares between 0 and 1 where 1 is best, and numbers in the unit of what is predicted (brier: none).
RATIOS = ("accuracy", "precision", "recall", "f1", "roc_auc")
VALUES = ("mae", "rmse", "bias", "brier")
# A click comes within a second, a charge-back within three months: steps people speak of.
_LAGS = (
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 4 * 3_600.0, 12 * 3_600.0, 86_400.0, 3 * 86_400.0,
    7 * 86_400.0, 30 * 86_400.0, 90 * 86_400.0,
)  # fmt: skip

LABELS = model_metric(
    "inference_labels_total", COUNTER,
    "Labels by what became of them; pending_expired counts predictions forgotten before their label came.",
    "state", unit="{label}", closed={"state": LABEL_STATES},
)  # fmt: skip
LABEL_LAG = model_metric(
    "inference_label_lag_seconds", HISTOGRAM,
    "From a prediction to its label, of the labels that were matched.",
    unit="s", buckets=_LAGS,
)  # fmt: skip
QUALITY_RATIO = model_metric(
    "inference_quality_ratio", GAUGE,
    "Quality of the last labelled predictions as a share, 1 is best; absent while there are too few.",
    "metric", unit="1", closed={"metric": RATIOS},
)  # fmt: skip
QUALITY_VALUE = model_metric(
    "inference_quality_value", GAUGE,
    "Error of the last labelled predictions in the unit of the label; absent while there are too few.",
    "metric", closed={"metric": VALUES},
)  # fmt: skip
QUALITY_LABELS = model_metric(
    "inference_quality_labels", GAUGE,
    "Labelled predictions that the quality figures are made of.", unit="{label}",
)  # fmt: skip
QUALITY_DEGRADED = model_metric(
    "inference_quality_degraded", GAUGE,
    "1 while labelled predictions are wrong by more than they used to be, 0 when that is over.",
)  # fmt: skip
QUALITY_DROPS = model_metric(
    "inference_quality_drops_total", COUNTER, "Times that quality was found to have fallen.",
    unit="{drop}",
)  # fmt: skip
PENDING_LABELS = Metric(
    "sidecar_labels_pending", GAUGE,
    "What is remembered until it is matched: predictions without a label, labels without a prediction.",
    ("kind",), unit="{item}", closed={"kind": ("prediction", "label")},
)  # fmt: skip
LABELS_REFUSED = Metric(
    "sidecar_labels_refused_total", COUNTER,
    "Labels that were not taken, or whole requests (forbidden, too_large, busy), and why.",
    ("reason",), unit="{label}", closed={"reason": REFUSALS},
)  # fmt: skip

ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
