"""A KServe model server, of a model whose prediction is the sum of a row. Its arguments: two ports.

It listens on every address: KServe's server has no setting for that.
"""

import sys
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Sums(Model):
    """What both protocols ask of it."""

    def __init__(self) -> None:
        super().__init__("sums")
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """V1 gives an object, V2 a request."""
        if not isinstance(payload, InferRequest):
            return {"predictions": [sum(row) for row in payload["instances"]]}
        rows = payload.inputs[0].as_numpy()
        sums = InferOutput("sum", [len(rows)], "FP32")
        sums.set_data_from_numpy(rows.sum(axis=1, dtype=np.float32), binary_data=wants_raw(payload))
        return InferResponse(payload.id, self.name, [sums])

    def explain(self, payload: Any, headers: Any = None) -> Any:
        """Every feature explains itself."""
        return {"explanations": payload["instances"]}


def wants_raw(request: InferRequest) -> bool:
    """Whether the client asked for raw tensors."""
    return bool((request.parameters or {}).get("binary_data_output"))


if __name__ == "__main__":
    rest, grpc = map(int, sys.argv[1:])
    ModelServer(http_port=rest, grpc_port=grpc, workers=1).start([Sums()])
