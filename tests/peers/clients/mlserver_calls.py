"""MLServer's own codecs and gRPC stubs, and requests."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pandas as pd
import requests
from both import report
from google.protobuf.json_format import MessageToDict
from mlserver.codecs import NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.grpc.converters import ModelInferRequestConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import InferenceRequest
from sklearn.datasets import load_iris

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.8, 4.8, 1.8]])
TABLE = pd.DataFrame({"age": [25.0, 65.0, 66.0], "region": ["n", "s", "n"]})
IRIS: InferenceRequest = NumpyRequestCodec.encode_request(ROWS)
ALL: InferenceRequest = NumpyRequestCodec.encode_request(load_iris().data)
CHURN: InferenceRequest = PandasCodec.encode_request(TABLE)
TEXT = InferenceRequest(inputs=[StringCodec.encode_input("text", ["it will rain"])])


def asked(request: InferenceRequest, number: int) -> Any:
    """The request as JSON, with an id of its own: the server would invent one."""
    return {**json.loads(request.model_dump_json(exclude_none=True)), "id": f"r-{number}"}


def rest(address: str) -> dict[str, Any]:
    """Six inferences, one of them refused and one a stream."""
    url = f"http://{address}/v2/models"
    both = {**asked(IRIS, 2), "outputs": [{"name": "predict"}, {"name": "predict_proba"}]}
    bodies = {
        "all": ("iris/infer", asked(ALL, 10)),
        "iris": ("iris/infer", asked(IRIS, 1)),
        "both": ("iris/versions/v1.2/infer", both),
        "churn": ("churn/infer", asked(CHURN, 3)),
        "refused": ("iris/infer", {"instances": ROWS.tolist()}),
    }
    answers = {name: requests.post(f"{url}/{path}", json=body) for name, (path, body) in bodies.items()}
    events = requests.post(f"{url}/words/infer_stream", json=asked(TEXT, 4), stream=True)
    lines = [line.decode().removeprefix("data:") for line in events.iter_lines() if line]
    found: dict[str, Any] = {name: [answer.status_code, answer.json()] for name, answer in answers.items()}
    return found | {"stream": [json.loads(line)["outputs"] for line in lines]}


def calls(address: str) -> dict[str, Any]:
    """Five calls, one of them refused and one a stream."""
    with grpc.insecure_channel(address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        return {
            "typed": MessageToDict(stub.ModelInfer(call("iris", IRIS, 5))),
            "raw": MessageToDict(stub.ModelInfer(call("iris", IRIS, 6, raw=True))),
            "churn": MessageToDict(stub.ModelInfer(call("churn", CHURN, 7))),
            "refused": refused(stub),
            "stream": [MessageToDict(part)["outputs"] for part in stub.ModelStreamInfer(one())],
        }


def call(model: str, request: InferenceRequest, number: int, raw: bool = False) -> Any:
    """A request as a message. Of a copy: the converter takes the data out of what it makes raw."""
    request = request.model_copy(update={"id": f"g-{number}"}, deep=True)
    return ModelInferRequestConverter.from_types(request, model_name=model, use_raw=raw)


def one() -> Iterator[Any]:
    """What is sent on a stream."""
    yield call("words", TEXT, 8)


def refused(stub: Any) -> str:
    """What is said of a model that is not there."""
    try:
        stub.ModelInfer(call("nobody", IRIS, 9))
    except grpc.RpcError as error:
        return f"{error.code()}: {error.details()}"
    raise AssertionError("it was not refused")


def everything(http_address: str, grpc_address: str) -> dict[str, Any]:
    """All of it."""
    return {"rest": rest(http_address), "grpc": calls(grpc_address)}


if __name__ == "__main__":
    report(everything, 2)
