"""Exchanges with a stream: say what came when, in milliseconds after the request."""

import json
from typing import Any

from sidecar.exchange import Exchange, LeftOut, Outcome, StreamEvent
from sidecar.inference import Generation, Inference
from tests.decoders.reading import decode, posted

AT = 100.0
DONE = "[DONE]"


def streamed(
    target: str,
    *events: tuple[float, Any] | tuple[float, str, Any],
    asked: Any = None,
    outcome: Outcome = Outcome.OK,
    left_out: LeftOut | None = None,
) -> Exchange:
    """POST to `target`, answered by `(milliseconds, [name,] data)`; data is JSON unless text."""
    seen = posted(target, asked or {"model": "m"}, outcome=outcome, streamed=True, at=AT)
    seen.events = [
        StreamEvent(AT + event[0] / 1000, _bytes(event[-1]), event[1] if len(event) == 3 else "")
        for event in events
    ]
    seen.left_out = left_out or seen.left_out
    seen.timings.response_last = seen.events[-1].time if seen.events else AT
    return seen


def generated(target: str, *events: Any, **more: Any) -> Generation:
    """What is read of such a stream."""
    return generation(decode(streamed(target, *events, **more)))


def generation(inference: Inference) -> Generation:
    assert inference.generation is not None
    return inference.generation


def _bytes(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()
