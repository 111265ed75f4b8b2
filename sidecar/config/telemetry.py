"""The settings of what is pushed to an OpenTelemetry collector: metrics, spans, records of predictions.

Where it goes and how; what is not said here the `OTEL_*` variables say. Secret headers come from a file of
their own. Spans and records are off until a share of them is asked for.
"""

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator

from sidecar.config.otlp_headers import header_name, header_value
from sidecar.config.section import Conflict, Section
from sidecar.config.values import AS_DURATION, FilePath, duration, number, one_of, refusal, url, whole
from sidecar.exporters.otlp_settings import GRPC, HTTP
from sidecar.exporters.records import RecordRules
from sidecar.exporters.redaction import MIN_KEY_BYTES, Rule, RuleKind

_RULE = "keep, mask, hash or {bucket: [30, 50]}"
# More cannot be told apart on a screen.
_MOST_BOUNDS = 50


def share(value: Any) -> float:
    """A share from 0 to 1."""
    want = "a share from 0 to 1, such as 0.01"
    found = number(value)
    if not 0 <= found <= 1:
        raise refusal(value, want)
    return found


def rule(value: Any) -> Rule:
    """What is done to the values of a field."""
    if isinstance(value, dict) and list(value) == ["bucket"]:
        return Rule(RuleKind.BUCKET, _bounds(value["bucket"]))
    if not isinstance(value, str) or value.lower() not in ("keep", "mask", "hash"):
        raise refusal("an empty value" if value is None else value, _RULE)
    return Rule(RuleKind(value.lower()))


def _bounds(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_BOUNDS:
        raise refusal(value, f"a list of 1 to {_MOST_BOUNDS} numbers that go up")
    found = tuple(map(number, value))
    if any(low >= high for low, high in pairwise(found)):
        raise ValueError("the bounds of buckets must go up, such as [30, 50]")
    return found


def _as_written(given: Rule) -> Any:
    return {"bucket": list(given.bounds)} if given.bounds else given.kind.value


HeaderName = Annotated[str, PlainValidator(header_name)]
HeaderValue = Annotated[str, PlainValidator(header_value)]
Share = Annotated[float, PlainValidator(share)]
FieldRule = Annotated[Rule, PlainValidator(rule), PlainSerializer(_as_written, when_used="json")]


class TracesSection(Section):
    """One span for each sampled exchange."""

    ratio: Share | None = Field(
        default=None,
        description="The share of exchanges without a caller's trace that get a span; with one, the caller's "
        "decision stands. 0: only those that a caller records. Off by default, unless OTEL_TRACES_SAMPLER "
        "says otherwise: a collector that takes metrics may have no place for spans.",
        examples=["0.01"],
    )


class LogsSection(Section):
    """Records of single predictions: the fields named here, after their rules, and nothing else."""

    ratio: Share | None = Field(
        default=None,
        description="The share of exchanges that are recorded. Off by default: values leave the process.",
        examples=["0.001"],
    )
    rows: Annotated[int, PlainValidator(whole(1, 100, "rows"))] = Field(
        default=1,
        description="How many rows of such an exchange, the first ones. One shows what a batch is like.",
    )
    features: dict[str, FieldRule] = Field(
        default={},
        description=f"What may leave of which feature: `{_RULE}`. A feature without an entry never does.",
        examples=["{age: {bucket: [30, 50]}}"],
    )
    outputs: dict[str, FieldRule] = Field(
        default={}, description="The same for outputs.", examples=["{score: keep}"]
    )
    salt_file: FilePath | None = Field(
        default=None,
        description=f"A file with the secret key of `hash`, at least {MIN_KEY_BYTES} bytes, from a Secret. "
        "Needed for `hash`: without a key, whoever guesses a value can check the guess.",
    )

    def conflicts(self) -> Iterator[Conflict]:
        """A share of nothing, fields of no share, and a hash without its key."""
        rules = [*self.features.values(), *self.outputs.values()]
        if self.ratio and not rules:
            yield "features", "missing; say what may leave, such as {age: {bucket: [30, 50]}}"
        if rules and self.ratio is None:
            yield "ratio", "missing; give the share of exchanges to record, such as 0.001"
        if self.salt_file is None and any(rule.kind is RuleKind.HASH for rule in rules):
            yield "salt_file", "missing; hash needs a secret key, in a file"

    def rules(self) -> RecordRules | None:
        """What the records hold; None when there are none."""
        if not self.ratio:
            return None
        return RecordRules(self.ratio, self.rows, self.features, self.outputs)


class OtlpSection(Section):
    """Where things are pushed, if anywhere, and how. What is set here wins over `OTEL_*` (docs/otlp.md)."""

    endpoint: Annotated[str, PlainValidator(url("http://collector:4317"))] | None = Field(
        default=None,
        description="The collector; off by default, unless OTEL_EXPORTER_OTLP_ENDPOINT says otherwise.",
    )
    protocol: Annotated[str, PlainValidator(one_of(GRPC, HTTP))] | None = Field(
        default=None,
        description="`grpc` or `http/protobuf`. Default: gRPC for port 4317, else HTTP.",
        examples=[GRPC],
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={},
        description="Sent along with every request, such as `{x-scope-orgid: ml}`. Not for secrets: see "
        "`headers_file`.",
        examples=["ml"],
    )
    headers_file: FilePath | None = Field(
        default=None,
        description="A file with a header `name: value` in each line, from a Secret; wins over `headers`. "
        "Read when the sidecar starts.",
        examples=["/etc/sidecar/otlp-headers"],
    )
    timeout: Annotated[float, PlainValidator(duration("100ms", "5m")), AS_DURATION] | None = Field(
        default=None, description="For one request. Default 10s, OpenTelemetry's.", examples=["10s"]
    )
    interval: Annotated[float, PlainValidator(duration("1s", "1h")), AS_DURATION] | None = Field(
        default=None,
        description="Between two exports of metrics. Default 60s, OpenTelemetry's; four of them should fit "
        "into the shortest window of a rule, 5m.",
        examples=["30s"],
    )
    compression: Annotated[str, PlainValidator(one_of("none", "gzip", "deflate"))] | None = Field(
        default=None, description="Default `none`. `deflate` over HTTP only.", examples=["gzip"]
    )
    traces: TracesSection = Field(default=TracesSection(), description="Spans.")
    logs: LogsSection = Field(default=LogsSection(), description="Records of single predictions.")

    def conflicts(self) -> Iterator[Conflict]:
        """A way to compress that gRPC has not."""
        if self.compression == "deflate" and self.protocol == GRPC:
            yield "compression", "deflate is not allowed with grpc; give gzip"


def salt_problem(path: str) -> str:
    """Why the file of a key cannot be used; "" if it can. Never a word of what is in it."""
    try:
        size = os.path.getsize(path)
    except OSError as error:
        return f"cannot be read at {path}: {error.strerror}"
    return "" if size >= MIN_KEY_BYTES else f"{path} is too short; give at least {MIN_KEY_BYTES} random bytes"
