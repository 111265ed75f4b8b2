"""Every metric we emit, declared once. Docs, rules, dashboards and exporters are generated from this.

Label sets are fixed here; every label is either a closed set (`closed`), configuration, or capped
(`capped`). Adding a metric is adding it here, or to the part that its family has; renaming one needs a
decision record.
"""

from sidecar import catalog_generation, catalog_labels, catalog_quality
from sidecar.exchange import Outcome
from sidecar.inference import Operation, Undecoded
from sidecar.metric import Metric, MetricKind, Shed
from sidecar.metric import model_metric as _model_metric

COUNTER, GAUGE, HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

# From half a millisecond (a tree model next door) to a minute (a large batch): 1-2.5-5 steps, and the
# bounds of OpenTelemetry's http.server.request.duration so that both can be compared.
_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    30.0, 60.0,
)  # fmt: skip
# 64 B (a ping) to 64 MiB (an image batch) in steps of four.
_BYTES = tuple(float(64 * 4**step) for step in range(11))
# The relay's own loop: a tenth of a millisecond is normal, ten are a stall somebody feels.
_LAG_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)

FEATURE_STATES = (
    "valid", "missing", "null", "nan", "inf", "wrong_type", "out_of_range", "unseen_category",
)  # fmt: skip
INVALID_REASONS = ("nan", "inf", "null", "wrong_shape")
SLOS = (
    "availability", "latency", "time_to_first_token", "feature_availability", "prediction_validity",
    "freshness", "quality",
)  # fmt: skip
OTHER_KINDS = ("probe", "metadata", "metrics", "admin", "cors", "other")
OTLP_SIGNALS = ("metrics", "traces", "logs")
INGEST_SOURCES = ("kserve", "seldon", "other", "envoy")
INGEST_STATES = (
    "observed", "unanswered", "unasked", "evicted", "duplicate", "late", "feedback", "ignored", "malformed",
    "too_large", "dropped",
)  # fmt: skip
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_OPERATIONS = tuple(operation.value for operation in Operation)


# --- traffic -----------------------------------------------------------------------------------------
REQUESTS = _model_metric(
    "inference_requests_total", COUNTER,
    "Inference exchanges, by how they ended.",
    "protocol", "operation", "code", "outcome",
    unit="{request}", closed={"outcome": _OUTCOMES, "operation": _OPERATIONS},
)  # fmt: skip
REQUEST_DURATION = _model_metric(
    "inference_request_duration_seconds", HISTOGRAM,
    "Last byte of the request to last byte of the response, unary exchanges only.",
    "protocol", "outcome",
    unit="s", buckets=_SECONDS, closed={"outcome": _OUTCOMES},
)  # fmt: skip
TIME_TO_FIRST_BYTE = _model_metric(
    "inference_time_to_first_byte_seconds", HISTOGRAM,
    "Last byte of the request to first byte of the response.",
    "protocol",
    unit="s", buckets=_SECONDS,
)  # fmt: skip
IN_FLIGHT = Metric(
    "inference_requests_in_flight", GAUGE,
    "Inference exchanges begun and not ended, recomputed from open exchanges.",
    ("model_name",), unit="{request}", capped=("model_name",),
)  # fmt: skip
REQUEST_SIZE = _model_metric(
    "inference_request_size_bytes", HISTOGRAM, "Size of request bodies as transferred.",
    unit="By", buckets=_BYTES,
)  # fmt: skip
RESPONSE_SIZE = _model_metric(
    "inference_response_size_bytes", HISTOGRAM, "Size of response bodies as transferred.",
    unit="By", buckets=_BYTES,
)  # fmt: skip
MODEL_INFO = _model_metric(
    "inference_model_info", GAUGE, "1 for each model seen; the labels are the information.",
    "protocol",
)  # fmt: skip
VERSION_FIRST_SEEN = _model_metric(
    "inference_model_version_first_seen_timestamp_seconds", GAUGE,
    "When a version of a model first answered here, in seconds since the epoch.", unit="s",
)  # fmt: skip
VERSION_CHANGES = _model_metric(
    "inference_model_version_changes_total", COUNTER,
    "Times that a version began to answer beside or after another; the first one is no change.",
    unit="{change}",
)  # fmt: skip
VERSION_APPROVED = _model_metric(
    "inference_model_version_approved", GAUGE,
    "1 if the version that answers is in approved_versions, 0 if not; only where there is such a list.",
)  # fmt: skip
OWNER_INFO = _model_metric(
    "inference_model_owner_info", GAUGE, "1; whom a model belongs to and where its own runbook is.",
    "owner", "runbook",
)  # fmt: skip

# --- features ----------------------------------------------------------------------------------------
ROWS = _model_metric(
    "inference_rows_total", COUNTER, "Rows seen in decoded inference requests.", unit="{row}",
)  # fmt: skip
ROWS_COMPLETE = _model_metric(
    "inference_rows_complete_total", COUNTER,
    "Rows in which every required feature was present, not null, not NaN and of the right type.",
    unit="{row}",
)  # fmt: skip
FEATURE_VALUES = _model_metric(
    "inference_feature_values_total", COUNTER, "Values of each feature, by their state.",
    "feature", "state",
    unit="{value}", capped=("feature",), limit=20_000, closed={"state": FEATURE_STATES}, shed=Shed.FEATURES,
)  # fmt: skip
FEATURE_MEAN = _model_metric(
    "inference_feature_mean", GAUGE, "Mean of a numeric feature over the last window.", "feature",
    capped=("feature",), shed=Shed.SUMMARIES,
)  # fmt: skip
FEATURE_STDDEV = _model_metric(
    "inference_feature_stddev", GAUGE, "Standard deviation of a numeric feature over the last window.",
    "feature", capped=("feature",), shed=Shed.SUMMARIES,
)  # fmt: skip
FEATURE_MIN = _model_metric(
    "inference_feature_min", GAUGE, "Smallest value of a numeric feature over the last window.", "feature",
    capped=("feature",), shed=Shed.SUMMARIES,
)  # fmt: skip
FEATURE_MAX = _model_metric(
    "inference_feature_max", GAUGE, "Largest value of a numeric feature over the last window.", "feature",
    capped=("feature",), shed=Shed.SUMMARIES,
)  # fmt: skip

# --- predictions -------------------------------------------------------------------------------------
PREDICTIONS = _model_metric(
    "inference_predictions_total", COUNTER,
    "Predictions of each output; class is empty for numeric outputs.",
    "output", "class",
    unit="{prediction}", capped=("output", "class"), limit=5_000,
)  # fmt: skip
PREDICTIONS_INVALID = _model_metric(
    "inference_predictions_invalid_total", COUNTER, "Predictions that are not usable.",
    "output", "reason",
    unit="{prediction}", capped=("output",), closed={"reason": INVALID_REASONS},
)  # fmt: skip
PREDICTION_MEAN = _model_metric(
    "inference_prediction_mean", GAUGE, "Mean of a numeric output over the last window.", "output",
    capped=("output",), shed=Shed.SUMMARIES,
)  # fmt: skip
PREDICTION_STDDEV = _model_metric(
    "inference_prediction_stddev", GAUGE, "Standard deviation of a numeric output over the last window.",
    "output", capped=("output",), shed=Shed.SUMMARIES,
)  # fmt: skip

# --- distributions and drift -------------------------------------------------------------------------
_PROFILE = ("kind", "name", "bin", "profile")
DISTRIBUTION_ROWS = _model_metric(
    "inference_distribution_rows_total", COUNTER,
    "Rows in each bin of a feature or output; adds up across replicas for one profile.",
    *_PROFILE,
    unit="{row}", capped=("name", "bin"), limit=20_000, closed={"kind": ("feature", "output")},
    shed=Shed.BINS,
)  # fmt: skip
REFERENCE_RATIO = _model_metric(
    "inference_reference_ratio", GAUGE, "Share of each bin in the reference.",
    *_PROFILE,
    unit="1", capped=("name", "bin"), limit=20_000, closed={"kind": ("feature", "output")}, shed=Shed.BINS,
)  # fmt: skip
REFERENCE_ROWS = _model_metric(
    "inference_reference_rows", GAUGE, "Rows the reference was built from.",
    "kind", "name", "profile", unit="{row}", capped=("name",), closed={"kind": ("feature", "output")},
    shed=Shed.BINS,
)  # fmt: skip
REFERENCE_INFO = _model_metric(
    "inference_reference_info", GAUGE, "1 for the reference in use, and where it came from.",
    "profile", "source", closed={"source": ("given", "learnt")},
)  # fmt: skip
# What drifts: a feature, an output, or, the name being "correlation", how columns go together.
DRIFT_KINDS = ("feature", "output", "joint")
DRIFT_SCORE = _model_metric(
    "inference_drift_score", GAUGE,
    "Distance between the recent rows and the reference; PSI is corrected for its sampling bias.",
    "kind", "name", "method",
    capped=("name",), limit=5_000, closed={"kind": ("feature", "output"), "method": ("psi", "js", "tv")},
    shed=Shed.FEATURES,
)  # fmt: skip
DRIFT_ACTIVE = _model_metric(
    "inference_drift_active", GAUGE,
    "1 while the verdict stands, after effect-size gates and corroboration.",
    "kind", "name", "level",
    capped=("name",), limit=5_000, closed={"kind": DRIFT_KINDS, "level": ("ticket", "page")},
    shed=Shed.FEATURES,
)  # fmt: skip
DRIFT_ACTIVE_SINCE = _model_metric(
    "inference_drift_active_since_timestamp_seconds", GAUGE,
    "Unix time at which the change began about which a verdict stands; no series while none does.",
    "kind", "name",
    unit="s", capped=("name",), limit=5_000, closed={"kind": DRIFT_KINDS}, shed=Shed.FEATURES,
)  # fmt: skip
DRIFT_DETECTIONS = _model_metric(
    "inference_drift_detections_total", COUNTER, "Changes detected, before any gate: no reason to notify.",
    "kind", "name",
    unit="{detection}", capped=("name",), closed={"kind": DRIFT_KINDS}, shed=Shed.FEATURES,
)  # fmt: skip

# --- objectives --------------------------------------------------------------------------------------
SLO_EVENTS = _model_metric(
    "inference_slo_events_total", COUNTER,
    "Good and bad events of each objective: what every burn-rate rule is built on.",
    "slo", "result",
    unit="{event}", closed={"slo": SLOS, "result": ("good", "bad")},
)  # fmt: skip
SLO_OBJECTIVE = _model_metric(
    "inference_slo_objective_ratio", GAUGE, "The objective, as a share of good events.",
    "slo", unit="1", closed={"slo": SLOS},
)  # fmt: skip
SLO_THRESHOLD = _model_metric(
    "inference_slo_threshold_seconds", GAUGE, "The threshold of objectives that have one.",
    "slo", unit="s", closed={"slo": SLOS},
)  # fmt: skip

# --- the sidecar itself ------------------------------------------------------------------------------
CONNECTIONS = Metric(
    "sidecar_connections", GAUGE,
    "Open connections; blind ones are relayed but cannot be read.",
    ("state", "protocol"), unit="{connection}",
    closed={"state": ("observed", "blind"), "protocol": ("http1", "http2", "unknown")},
)  # fmt: skip
RELAY_BYTES = Metric(
    "sidecar_relay_bytes_total", COUNTER, "Bytes relayed, by who sent them.",
    ("direction",), unit="By", closed={"direction": ("request", "response")},
)  # fmt: skip
TEE_DROPPED_BYTES = Metric(
    "sidecar_tee_dropped_bytes_total", COUNTER, "Relayed bytes that were not copied to the observer.",
    ("reason",), unit="By", closed={"reason": ("skipped", "observer_behind", "observer_down")},
)  # fmt: skip
CHUNKS_DROPPED = Metric(
    "sidecar_chunks_dropped_total", COUNTER,
    "Chunks that were relayed but not copied because the observer could not take them.",
    ("reason",), unit="{chunk}", closed={"reason": ("observer_behind", "observer_down")},
)  # fmt: skip
UPSTREAM_CONNECT_FAILURES = Metric(
    "sidecar_upstream_connect_failures_total", COUNTER, "Connections that found no model server behind.",
    ("reason",), unit="{connection}",
    closed={"reason": ("refused", "timeout", "unreachable", "tls", "loop", "other")},
)  # fmt: skip
RELAY_LOOP_LAG = Metric(
    "sidecar_relay_loop_lag_seconds", HISTOGRAM,
    "How late the relay's own loop ran: the promise to do no harm, as a metric.",
    unit="s", buckets=_LAG_SECONDS,
)  # fmt: skip
CPU_SECONDS = Metric(
    "sidecar_cpu_seconds_total", COUNTER, "Processor time each of our processes has used.",
    ("process",), unit="s", closed={"process": ("supervisor", "relay", "observer")},
)  # fmt: skip
MEMORY_BYTES = Metric(
    "sidecar_memory_bytes", GAUGE, "Resident memory of each of our processes.",
    ("process",), unit="By", closed={"process": ("supervisor", "relay", "observer")},
)  # fmt: skip
MEMORY_LIMIT_BYTES = Metric(
    "sidecar_memory_limit_bytes", GAUGE, "What all our processes may use together; absent without a limit.",
    unit="By",
)  # fmt: skip
UNDECODED = Metric(
    "sidecar_exchanges_undecoded_total", COUNTER, "Inference exchanges whose payload could not be read.",
    ("reason", "protocol"), unit="{exchange}", closed={"reason": tuple(reason.value for reason in Undecoded)},
)  # fmt: skip
UNOBSERVED = Metric(
    "sidecar_exchanges_unobserved_total", COUNTER,
    "Exchanges of which the tee lost a part, so that how they ended is not known.",
    unit="{exchange}",
)  # fmt: skip
OBSERVER_LAG = Metric(
    "sidecar_observer_lag_seconds", GAUGE, "Age of the newest chunk when the observer read it.", unit="s",
)  # fmt: skip
SERIES_OVERFLOW = Metric(
    "sidecar_series_overflow_total", COUNTER, "Observations put under __other__ because a family was full.",
    ("metric",), unit="{observation}",
)  # fmt: skip
OTHER_EXCHANGES = Metric(
    "sidecar_other_exchanges_total", COUNTER, "Exchanges that are not inference: probes, metadata…",
    ("kind",), unit="{exchange}", closed={"kind": OTHER_KINDS},
)  # fmt: skip
INGEST_EVENTS = Metric(
    "sidecar_ingest_events_total", COUNTER,
    "Logged events, and streams of Envoy's external processing, by what became of them.",
    ("source", "state"), unit="{event}", closed={"source": INGEST_SOURCES, "state": INGEST_STATES},
)  # fmt: skip
OBSERVER_RESTARTS = Metric(
    "sidecar_observer_restarts_total", COUNTER, "Times the observer was started again, and why.",
    ("reason",), unit="{restart}", closed={"reason": ("exit", "signal", "memory", "hung", "reload")},
)  # fmt: skip
CONFIG_RELOAD_SUCCESSFUL = Metric(
    "sidecar_config_last_reload_successful", GAUGE, "1 if the configuration in use is the newest one given.",
)  # fmt: skip
OTLP_EXPORT_FAILURES = Metric(
    "sidecar_otlp_export_failures_total", COUNTER, "Exports the collector did not take.",
    ("signal",), unit="{export}", closed={"signal": OTLP_SIGNALS},
)  # fmt: skip
OTLP_DROPPED = Metric(
    "sidecar_otlp_records_dropped_total", COUNTER,
    "Spans and records of predictions that never arrive: no room to wait, or refused for good.",
    ("signal",), unit="{record}", closed={"signal": ("traces", "logs")},
)  # fmt: skip
MERGE_FAILURES = Metric(
    "sidecar_merge_failures_total", COUNTER,
    "Scrapes in which metrics of the model server were left out: all of them, or some lines.",
    ("reason",), unit="{scrape}",
    closed={"reason": ("timeout", "unreachable", "status", "too_large", "malformed", "duplicate")},
)  # fmt: skip
STATE_SAVE_FAILURES = Metric(
    "sidecar_state_save_failures_total", COUNTER,
    "Times that what the observer knows could not be saved, or what was saved could not be used.",
    ("reason",), unit="{failure}",
    closed={
        "reason": ("disk_full", "read_only", "permission", "in_use", "slow", "corrupt", "outdated", "other")
    },
)  # fmt: skip
BUILD_INFO = Metric(
    "sidecar_build_info", GAUGE, "1; the labels are the version.", ("version", "python"),
)  # fmt: skip

ALL: tuple[Metric, ...] = (
    *(value for value in list(globals().values()) if isinstance(value, Metric)),
    *catalog_generation.ALL,
    *catalog_quality.ALL,
    *catalog_labels.ALL,
)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in ALL}
