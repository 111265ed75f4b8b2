"""A judge's state as a JSON document, and back: what lets drift be judged on after a restart.

Arrays are written as they are in memory, so that nothing is rounded; detectors are not written at all, they
hear their last scores again (`Evidence.restore`). The trap is time: verdicts hold monotonic seconds, which
mean nothing after a reboot, so a document says what the wall clock was and times are moved when read.
"""

import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_joint import Joint
from sidecar.monitors.drift_judge import Judge
from sidecar.monitors.drift_verdict import Level, Verdict

# Another meaning of what is written needs another number.
VERSION = 5
_ARRAYS = {"<f8": np.float64, "<f4": np.float32, "<i8": np.int64, "<i4": np.int32, "|b1": np.bool_}
_MAX_ITEMS = 50_000_000
_TIMES = ("time", "since_time", "ended_time")
_NUMBERS = ("before", "after", "psi", "evidence")


def save(judge: Judge, joint: Joint | None = None) -> dict[str, Any]:
    """What to write of a judge, its times as they are; cheap: arrays are copied and encoded later."""
    saved = {
        "version": VERSION,
        "profile": judge.reference.profile,
        "batches": judge.evidence.batches,
        "rows": judge.rows,
        "arrays": judge.evidence.state(),
        "seen": judge.layout.seen(),
        "past": [asdict(verdict) for verdict in judge.past],
        "standing": [[signal, asdict(verdict)] for signal, verdict in judge.standing.items()],
        "waits": judge.waits(),
    }
    return saved if joint is None else {**saved, "joint": joint.state()}


def encoded(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as JSON can hold it."""
    parts: dict[str, Any] = {"joint": _with_text(document["joint"])} if "joint" in document else {}
    if "segments" in document:
        parts["segments"] = [encoded(each) for each in document["segments"]]
    return {**_with_text(document), **parts}


def _with_text(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "arrays": {name: _encode(value) for name, value in document["arrays"].items()}}


def restore(judge: Judge, document: Any, moved: Callable[[float], float]) -> None:
    """Let a new judge go on from an encoded document. Raises ValueError when it is not about its reference.

    `moved` gives the monotonic time of now's clock for one of the document's.
    """
    try:
        if document["version"] != VERSION or document["profile"] != judge.reference.profile:
            raise ValueError("a drift state of another reference or version")
        arrays = {name: _decode(value) for name, value in document["arrays"].items()}
        past = [_verdict(verdict, moved) for verdict in document["past"]]
        standing = {_signal(judge, at): _verdict(verdict, moved) for at, verdict in document["standing"]}
        seen = [bool(value) for value in document["seen"]]
        rows, batches = int(document["rows"]), int(document["batches"])
        judge.evidence.restore(batches, arrays)
        judge.layout.see(seen)
        judge.go_on(rows, past, standing, document["waits"], moved)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError("no drift state of ours") from error


def restore_joint(joint: Joint, document: Any, moved: Callable[[float], float]) -> None:
    """The same of its joint verdict; what is not there, or of other columns, is learnt anew."""
    try:
        saved = document["joint"]
        arrays = {name: _decode(value) for name, value in saved["arrays"].items()}
        past = [_verdict(verdict, moved) for verdict in saved["past"]]
        standing = None if saved["standing"] is None else _verdict(saved["standing"], moved)
        joint.go_on(saved, arrays, past, standing, moved)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
        return


def _verdict(document: Mapping[str, Any], moved: Callable[[float], float]) -> Verdict:
    known = {field.name: document[field.name] for field in fields(Verdict) if field.name in document}
    known["level"] = Level(known["level"])
    for name in _TIMES:
        if known[name] is not None:
            known[name] = moved(float(known[name]))
    known["shares"] = tuple((str(held), float(was), float(now)) for held, was, now in known["shares"])
    for name in _NUMBERS:
        known[name] = math.nan if known[name] is None else float(known[name])  # JSON has no NaN
    return Verdict(**known)


def _signal(judge: Judge, at: Any) -> int:
    if not isinstance(at, int) or not 0 <= at < len(judge.signals):
        raise ValueError("a signal that is not there")
    return at


def _encode(value: npt.NDArray[Any]) -> dict[str, Any]:
    little = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return {
        "type": little.dtype.str,
        "shape": list(value.shape),
        "data": b64encode(little.tobytes()).decode(),
    }


def _decode(entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    shape = tuple(int(side) for side in entry["shape"])
    if min(shape, default=0) < 0 or int(np.prod(shape)) > _MAX_ITEMS:
        raise ValueError("an array of no shape of ours")
    data = b64decode(entry["data"], validate=True)
    return np.frombuffer(data, dtype=np.dtype(_ARRAYS[entry["type"]]).newbyteorder("<")).reshape(shape).copy()
