"""Say what is posted and what is answered; get what it was read as."""

import json
from typing import Any

from sidecar import decoders
from sidecar.exchange import Exchange, Outcome, outcome_of_status
from sidecar.inference import Column, Inference
from tests.fakes import exchange

V2 = "/v2/models/m/infer"
V1 = "/v1/models/m:predict"
INVOCATIONS = "/invocations"
GENERIC = "/score"


def read(target: str, request: Any, answer: Any = b"", *, status: int = 200, **more: Any) -> Inference:
    """The inference in a POST of `request`, answered by `answer`; both JSON unless bytes."""
    return decode(posted(target, request, answer, status=status, **more))


def posted(target: str, request: Any, answer: Any = b"", *, status: int = 200, **more: Any) -> Exchange:
    more.setdefault("outcome", outcome_of_status(status))
    return exchange(_bytes(request), _bytes(answer), target=target, status=status, **more)


def refused(target: str, request: Any, **more: Any) -> Inference:
    """What is read of a request that no answer came to."""
    return read(target, request, status=503, outcome=Outcome.SERVER_ERROR, **more)


def decode(seen: Exchange) -> Inference:
    claimed = decoders.claim(seen.method, seen.target, seen.request_headers)
    assert claimed is not None, f"nobody claims {seen.method} {seen.target}"
    return decoders.decode(seen, claimed)


def table(columns: list[Column]) -> dict[str, list[Any]]:
    return {column.name: list(column.values) for column in columns}


def tensor(name: str, shape: list[Any], data: Any, datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
