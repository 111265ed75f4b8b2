"""The last exchanges, as they were read: for whoever asks why something is not measured as expected.

Heads, names, counts and reasons only. No value of a payload is kept, no query, no body, and no reference to
anything that holds one: a few hundred bytes for each exchange, at most two kilobytes.
"""

import math
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from sidecar import clock
from sidecar.decoders.explanation import advice, advice_on_other
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import UNKNOWN, Column, Inference, ModelRef, Operation
from sidecar.sensitive import MAX_CHARACTERS, scrub

# Enough to find the request that one has just sent on a server with some traffic.
KEPT = 100
# Probes come every few seconds and must not push out what a person looks for.
OTHERS_KEPT = 50
# Remembering takes 2 us and nobody reads thousands; a hundred a second cost nothing, and last a second.
_APART_SECONDS = 0.01
_LONGEST_PATH = 200
_LONGEST_NAME = 100
# What ids and names of models look like; an address has other characters, too.
_ID = re.compile(r"[A-Za-z0-9_.:-]{0,200}")
# To recognise a schema; the number of all of them stands beside.
_NAMES = 20


def _of_traffic(said: ModelRef, _: ModelRef) -> tuple[str, str]:
    return "traffic" if said.name else "", "traffic" if said.version else ""


class Recent:
    """The last exchanges of inference, and the last of anything else."""

    def __init__(self, sources: Callable[[ModelRef, ModelRef], tuple[str, str]] = _of_traffic) -> None:
        """`sources` says where name and version of a model are from, see `Attribution`."""
        self._sources = sources
        self._inferences: deque[tuple[Any, ...]] = deque(maxlen=KEPT)
        self._others: deque[tuple[Any, ...]] = deque(maxlen=OTHERS_KEPT)
        self._number = 0
        self._next = -math.inf

    def add(self, exchange: Exchange, inference: Inference, said: ModelRef | None = None) -> None:
        """Remember how an exchange was read, unless all is well and another was remembered just now.

        `said` is the model by what the traffic says, None: it is that of the inference.
        """
        time = exchange.timings.response_last or exchange.timings.request_first
        if time < self._next and inference.undecoded is None and exchange.outcome is Outcome.OK:
            return
        self._next = time + _APART_SECONDS
        self._number += 1
        self._inferences.append((
            self._number, time, exchange.method, exchange.target[:_LONGEST_PATH],
            exchange.status, exchange.outcome, exchange.streamed, inference.protocol, inference.operation,
            inference.evidence, inference.model, inference.request_id, inference.rows, inference.undecoded,
            inference.error, _names(inference.features), len(inference.features), _names(inference.outputs),
            self._sources(inference.model if said is None else said, inference.model),
        ))  # fmt: skip

    def add_other(self, exchange: Exchange, kind: str) -> None:
        """Remember an exchange that is not inference."""
        self._number += 1
        target = exchange.target[:_LONGEST_PATH]
        kept = (self._number, exchange.timings.last, exchange.method, target, exchange.status, kind)
        self._others.append(kept)

    def all(self) -> list[dict[str, Any]]:
        """Every exchange that is remembered, the newest last."""
        shown = [*map(_inference, self._inferences), *map(_other, self._others)]
        return sorted(shown, key=lambda said: said["id"])

    def one(self, number: int) -> dict[str, Any] | None:
        """The exchange of this id, if it is remembered."""
        for kept, show in ((self._inferences, _inference), (self._others, _other)):
            for entry in kept:
                if entry[0] == number:
                    return show(entry)
        return None


def _names(columns: list[Column]) -> list[str]:
    return [column.name[:_LONGEST_NAME] for column in columns[:_NAMES]]


def _inference(entry: tuple[Any, ...]) -> dict[str, Any]:
    (
        number, time, method, target, status, outcome, streamed, protocol, operation,
        evidence, model, request_id, rows, undecoded, error, features, width, outputs, sources,
    ) = entry  # fmt: skip
    answered = status == 200 and not streamed and not error and operation is Operation.PREDICT
    named = model.name not in ("", UNKNOWN)
    return {
        **_head(number, time, method, target, status),
        "outcome": outcome.value,
        "inference": True,
        "protocol": protocol,
        "operation": operation.value,
        "evidence": evidence,
        "model": {
            "name": model.name,
            "version": model.version,
            "name_from": sources[0] or None,
            "version_from": sources[1] or None,
        },
        "request_id": request_id if _ID.fullmatch(request_id) else _safe(request_id),
        "rows": rows,
        "features": features if width <= _NAMES else [*features, f"… and {width - _NAMES} more"],
        "outputs": outputs,
        "error": _safe(error),
        "undecoded": None if undecoded is None else undecoded.value,
        "problems": [],
        "advice": advice(protocol, undecoded, features, predicted=bool(outputs) or not answered, named=named),
    }


def _safe(text: str) -> str:
    """The beginning of a text that others wrote, without what is secret or personal in it."""
    if len(text) > MAX_CHARACTERS:
        # Not in the middle of a word: half an address would not be recognised.
        text = text[:MAX_CHARACTERS].rpartition(" ")[0]
    return scrub(text)


def _safe_part(part: str) -> str:
    """A segment of a path. Names of models are long runs of letters and digits, too."""
    return part if _ID.fullmatch(part) else _safe(part)


def _other(entry: tuple[Any, ...]) -> dict[str, Any]:
    number, time, method, target, status, kind = entry
    head = _head(number, time, method, target, status)
    return {**head, "inference": False, "kind": kind, "advice": advice_on_other(method, kind)}


def _head(number: int, time: float, method: str, target: str, status: int | None) -> dict[str, Any]:
    # Queries hold features and secrets.
    path = target.partition("?")[0]
    return {
        "id": number,
        "time": round(clock.wall_of(time), 3),
        "method": method,
        "target": "/".join(map(_safe_part, path.split("/"))),
        "status": status,
    }
