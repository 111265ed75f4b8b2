"""Seldon's own client of a wrapped model, over REST and gRPC."""

from typing import Any

import numpy as np
import requests
from both import report
from google.protobuf.json_format import MessageToDict
from seldon_core.seldon_client import SeldonClient

ROWS = np.array([[60.0, 1.0], [20.0, 2.0]])
NAMES = ["age", "visits"]


def everything(rest: str, grpc: str) -> dict[str, Any]:
    """Three forms of data over each protocol, and one that is refused."""
    found: dict[str, Any] = {}
    for transport, address in (("rest", rest), ("grpc", grpc)):
        client = SeldonClient(microservice_endpoint=address, transport=transport)
        for form in ("ndarray", "tensor"):
            answer = client.microservice(
                data=ROWS, names=NAMES, payload_type=form, method="predict", transport=transport
            )
            assert answer.success, answer.msg
            found[f"{transport} {form}"] = MessageToDict(answer.response)
    external = {"data": {"names": NAMES, "ndarray": ROWS.tolist()}}
    for name, path, body in (("api", "api/v1.0", external), ("refused", "api/v1.0", {"strData": "no"})):
        plain = requests.post(f"http://{rest}/{path}/predictions", json=body)
        found[name] = [plain.status_code, plain.json()]
    return found


if __name__ == "__main__":
    report(everything, 2)
