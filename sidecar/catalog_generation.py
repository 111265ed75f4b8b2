"""The metrics of models that generate, embed or rank text. A part of the catalogue, and declared like it."""

from sidecar.exchange import Outcome
from sidecar.inference import End, Operation
from sidecar.metric import Metric, MetricKind, model_metric

COUNTER, HISTOGRAM = MetricKind.COUNTER, MetricKind.HISTOGRAM
_ENDS = tuple(end.value for end in End)
_FAILURES = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.OK)

TOKENS = model_metric(
    "inference_tokens_total", COUNTER,
    "Tokens in, out and read from a cache, as the server reports them; counted: the parts of its stream.",
    "kind", "source",
    unit="{token}", closed={"kind": ("input", "output", "cached"), "source": ("reported", "counted")},
)  # fmt: skip
STREAM_ENDS = model_metric(
    "inference_stream_ends_total", COUNTER, "Streamed answers, one for each choice, by how they ended.",
    "reason", unit="{answer}", closed={"reason": _ENDS},
)  # fmt: skip
GENERATION_ENDS = model_metric(
    "inference_generation_ends_total", COUNTER,
    "Generated answers, one for each choice, streamed or not, by how they ended.",
    "reason", unit="{answer}", closed={"reason": _ENDS},
)  # fmt: skip
STREAM_STALLS = model_metric(
    "inference_stream_stalls_total", COUNTER,
    "Pauses of more than a second between two parts of a streamed answer.", unit="{pause}",
)  # fmt: skip
TOOL_CALLS = model_metric(
    "inference_tool_calls_total", COUNTER, "Calls of tools that models asked for.", unit="{call}",
)  # fmt: skip
EMPTY_ANSWERS = model_metric(
    "inference_empty_answers_total", COUNTER,
    "Generated answers, one for each choice, that ended well with neither content nor a call of a tool.",
    unit="{answer}",
)  # fmt: skip

# Names, attributes and bounds of OpenTelemetry's conventions for generative AI servers (in development):
# github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md.
_GEN_AI = (
    "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model",
)  # fmt: skip
GEN_AI_OPERATIONS = {
    Operation.CHAT: "chat",
    Operation.GENERATE: "text_completion",
    Operation.EMBED: "embeddings",
    Operation.RERANK: "rerank",
}
_GEN_AI_CAPPED = ("gen_ai_request_model", "gen_ai_response_model")
_GEN_AI_CLOSED = {"gen_ai_operation_name": tuple(GEN_AI_OPERATIONS.values())}
GEN_AI_REQUEST_DURATION = model_metric(
    "gen_ai_server_request_duration_seconds", HISTOGRAM,
    "Last byte of the request to last byte of the answer, streamed or not.",
    *_GEN_AI, "error_type",
    unit="s", otlp="gen_ai.server.request.duration",
    capped=_GEN_AI_CAPPED, closed={**_GEN_AI_CLOSED, "error_type": ("", *_FAILURES)},
    buckets=(
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ),
)  # fmt: skip
GEN_AI_TIME_TO_FIRST_TOKEN = model_metric(
    "gen_ai_server_time_to_first_token_seconds", HISTOGRAM,
    "Last byte of the request to the first part of a streamed answer that has content.",
    *_GEN_AI,
    unit="s", otlp="gen_ai.server.time_to_first_token", capped=_GEN_AI_CAPPED, closed=_GEN_AI_CLOSED,
    buckets=(
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ),
)  # fmt: skip
GEN_AI_TIME_PER_OUTPUT_TOKEN = model_metric(
    "gen_ai_server_time_per_output_token_seconds", HISTOGRAM,
    "Time between two tokens of a streamed answer, after the first: one observation for each answer.",
    *_GEN_AI,
    unit="s", otlp="gen_ai.server.time_per_output_token", capped=_GEN_AI_CAPPED, closed=_GEN_AI_CLOSED,
    buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
)  # fmt: skip

ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
