"""Builders for tests: only what matters shows at the call."""

from typing import Any

from sidecar.exchange import CapturedBody, Exchange, Outcome, Timings
from sidecar.inference import Column, Inference, ModelRef, Operation
from sidecar.reference import ColumnProfile, Reference


def exchange(
    body: bytes = b"",
    answer: bytes = b"",
    *,
    target: str = "/v2/models/m/infer",
    method: str = "POST",
    status: int | None = 200,
    outcome: Outcome = Outcome.OK,
    at: float = 100.0,
    duration: float = 0.010,
    request_headers: dict[str, str] | None = None,
    response_headers: dict[str, str] | None = None,
    **more: Any,
) -> Exchange:
    """A complete HTTP/1.1 exchange that began at `at` and took `duration` seconds."""
    return Exchange(
        connection=1,
        transport="http1",
        method=method,
        target=target,
        status=status,
        outcome=outcome,
        timings=Timings(at, at, at + duration, at + duration),
        request_headers=request_headers or {"content-type": "application/json"},
        response_headers=response_headers or {"content-type": "application/json"},
        request=CapturedBody(body, len(body)),
        response=CapturedBody(answer, len(answer)),
        **more,
    )


def inference(
    *,
    model: str = "m",
    version: str = "1",
    protocol: str = "v2",
    outputs: dict[str, list[Any]] | None = None,
    **features: list[Any],
) -> Inference:
    """A decoded prediction with these feature columns."""
    return Inference(
        protocol=protocol,
        operation=Operation.PREDICT,
        model=ModelRef(model, version),
        rows=max((len(v) for v in features.values()), default=0),
        features=[Column(name, values) for name, values in features.items()],
        outputs=[Column(name, values) for name, values in (outputs or {}).items()],
    )


class OneReference:
    """References with the same one for every model; assign `reference` to replace it."""

    def __init__(self, reference: Reference | None = None) -> None:
        self.reference = reference

    def of(self, model_name: str) -> Reference | None:
        return self.reference


def reference(
    features: list[ColumnProfile] | None = None,
    outputs: list[ColumnProfile] | None = None,
    *,
    rows: int = 1_000,
    source: str = "given",
) -> Reference:
    """A reference of these columns."""
    return Reference(
        rows,
        {profile.name: profile for profile in features or []},
        {profile.name: profile for profile in outputs or []},
        source=source,
    )
