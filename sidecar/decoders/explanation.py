"""How an exchange was read, for a person: which decoder, why, what it found, and what would help.

Not for metrics: it holds samples of the payload, so it is only ever for whoever gave us the exchange. The
advice is made of what was found, and of nothing else, so that `recent` gives the same without a payload.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sidecar.decoders import choose
from sidecar.decoders.configured import Decoders
from sidecar.exchange import Exchange
from sidecar.inference import MISSING, UNKNOWN, Column, Inference, Operation, Undecoded

# Enough to recognise a column without printing somebody's whole batch.
_SAMPLE = 3
_LONGEST_VALUE = 100
_HUGE = 2**64
_POSITIONAL = re.compile(r".*\[\d+\]")

_ADVICE = {
    Undecoded.BODY_GAP: "part of the body was lost on the way to us; see sidecar_tee_dropped_bytes_total",
    Undecoded.BODY_TOO_LARGE: "larger bodies are counted and timed, not read; smaller batches are read",
    Undecoded.BODY_ENCODING: "the body does not decode by its Content-Encoding within bounds",
    Undecoded.BODY_CUT: "the sender stopped short of what it promised",
    Undecoded.NOT_JSON: "the body is not JSON; if it is something else, say so in its Content-Type",
    Undecoded.CONTENT_TYPE: "bodies of this type are counted and timed, not read",
    Undecoded.OVERLOAD: "the observer was behind and left payloads unread; see sidecar_observer_lag_seconds",
    Undecoded.INTERNAL: "this is a fault of the sidecar; please report it",
}
_ROWS = "say where the rows are with payload.rows, if the body has any"


def explain(
    exchange: Exchange, decoders: Decoders | None = None, name: Callable[[Inference], None] | None = None
) -> dict[str, Any]:
    """Which decoder read an exchange, why, and what it read: as JSON can hold it.

    `name` gives features their names, where that is not done by decoders.
    """
    known = decoders or Decoders()
    claimed = known.claim(exchange.method, exchange.target, exchange.request_headers)
    if claimed is None:
        kind = choose.other_kind(exchange.method, exchange.target)
        return {"inference": False, "kind": kind, "advice": advice_on_other(exchange.method, kind)}
    inference, problems = choose.read(exchange, claimed, known.reader(claimed))
    if name is not None:
        name(inference)
    return {
        "inference": True,
        "protocol": inference.protocol,
        "operation": inference.operation.value,
        "evidence": inference.evidence,
        "model": {"name": inference.model.name, "version": inference.model.version},
        "request_id": inference.request_id,
        "rows": inference.rows,
        "features": {column.name: _sample(column) for column in inference.features},
        "outputs": {column.name: _sample(column) for column in inference.outputs},
        "generation": _generation(inference),
        "error": inference.error,
        "undecoded": inference.undecoded.value if inference.undecoded else None,
        "problems": problems,
        "advice": _advice_on(exchange, inference),
    }


def _generation(inference: Inference) -> dict[str, Any] | None:
    """What a generated answer took; None for what was not generated."""
    said = inference.generation
    if said is None:
        return None
    tokens = {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens}
    return {"streamed": said.streamed, **tokens, "ends": [end.value for end in said.ends]}


def _advice_on(exchange: Exchange, inference: Inference) -> list[str]:
    answered = exchange.status == 200 and not exchange.streamed and not inference.error
    return advice(
        inference.protocol,
        inference.undecoded,
        [column.name for column in inference.features],
        predicted=bool(inference.outputs) or not answered or inference.operation is not Operation.PREDICT,
        named=bool(inference.model.name),
    )


def advice(
    protocol: str, undecoded: Undecoded | None, names: Sequence[str], *, predicted: bool, named: bool
) -> list[str]:
    """What to configure, by what was read: names of features, whether there were predictions and a model."""
    found = []
    mappable = protocol in ("json", "payload", "torchserve")
    if protocol == UNKNOWN:
        found.append("no decoder reads this; JSON on this path can be read with payload.paths")
    if undecoded is not None and not (protocol == UNKNOWN and undecoded is Undecoded.CONTENT_TYPE):
        found.append(_ADVICE.get(undecoded, _ROWS if mappable else "the body is not as its protocol has it"))
    if names and all(_POSITIONAL.fullmatch(name) for name in names):
        where = "payload.features, or " if mappable else ""
        found.append(
            f"features have no names, only places: give them with {where}a reference that has as many"
        )
    if not predicted and undecoded is None:
        where = ": say where they are with payload.predictions" if mappable else ""
        found.append(f"the answer has no predictions that could be read{where}")
    if not named:
        found.append("the traffic does not name the model: set model.name")
    return found


def advice_on_other(method: str, kind: str) -> list[str]:
    """What to configure if an exchange should have been inference."""
    if kind != "other" or method not in ("POST", "PUT"):
        return []
    return ["if this is inference, list its path in payload.paths"]


def _sample(column: Column) -> list[Any]:
    sample = column.values[:_SAMPLE]
    return [_plain(value) for value in (sample.tolist() if isinstance(sample, np.ndarray) else sample)]


def _plain(value: Any) -> Any:
    """A value strict JSON can hold."""
    if value is MISSING or (isinstance(value, float) and not math.isfinite(value)):
        return repr(value)
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    if value is None or isinstance(value, bool | float) or (type(value) is int and abs(value) < _HUGE):
        return value
    return _short(value)


def _short(value: Any) -> str:
    """The beginning of a nested or huge value. Never all of it: a repr of a megabyte takes its time."""
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, dict):
        return f"object of {len(value)}"
    return "a number of more than 64 bits" if isinstance(value, int) else type(value).__name__
