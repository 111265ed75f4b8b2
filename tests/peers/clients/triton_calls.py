"""tritonclient, over REST (JSON and raw tensors) and gRPC, one call and streams."""

import json
import queue
import urllib.request
from typing import Any

import numpy as np
from both import report
from tritonclient import grpc, http
from tritonclient.utils import InferenceServerException

AGES = np.array([[60], [20], [np.nan]], np.float32)
KINDS = [
    ("flag", "BOOL", np.array([[True, False, True, True]])),
    ("half", "FP16", np.array([[0.5, 1, 1.5, 2]], np.float16)),
    ("long", "INT64", np.array([[1, -2, 3, 1 << 60]], np.int64)),
    ("byte", "UINT8", np.array([[0, 1, 128, 255]], np.uint8)),
]
REGIONS = np.array([["n"], ["s"], ["n"]], np.object_)


def inputs(module: Any, rows: int, **how: bool) -> list[Any]:
    """The first rows, as the module's tensors."""
    age = module.InferInput("age", [rows, 1], "FP32")
    region = module.InferInput("region", [rows, 1], "BYTES")
    age.set_data_from_numpy(AGES[:rows], **how)
    region.set_data_from_numpy(REGIONS[:rows], **how)
    return [age, region]


def outputs(result: Any) -> dict[str, Any]:
    """What came back, as text, so that NaN equals NaN."""
    return {name: str(result.as_numpy(name).tolist()) for name in ("score", "label")}


def refused(call: Any) -> str:
    """What the server says of a call that fails."""
    try:
        call()
    except InferenceServerException as error:
        return str(error.status())
    raise AssertionError("it did not fail")


def rest(address: str) -> dict[str, Any]:
    """Six inferences: four that succeed, a class with its score, one of a model that is not there."""
    client = http.InferenceServerClient(address)
    asked = [http.InferRequestedOutput(name, binary_data=False) for name in ("score", "label")]
    packed = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
    classes = [http.InferRequestedOutput("score", class_count=1, binary_data=True)]
    return {
        "version": client.get_server_metadata()["version"],
        "ready": client.is_model_ready("churn"),
        "json": outputs(client.infer("churn", inputs(http, 2, binary_data=False), outputs=asked)),
        "raw": outputs(client.infer("churn", inputs(http, 3), request_id="a-1")),
        "of a version": outputs(client.infer("churn", inputs(http, 1), model_version="1")),
        "gzip": outputs(client.infer("churn", inputs(http, 2), **packed)),
        "classes": str(client.infer("churn", inputs(http, 1), outputs=classes).as_numpy("score").tolist()),
        "refused": refused(lambda: client.infer("nobody", inputs(http, 1))),
    }


def generated(address: str) -> str:
    """A stream of events from a model that is no language model."""
    body = json.dumps({"count": 3}).encode()
    request = urllib.request.Request(f"http://{address}/v2/models/words/generate_stream", body)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def calls(address: str) -> dict[str, Any]:
    """Six calls: three that succeed, one that does not, a stream of two requests and one that fails."""
    client = grpc.InferenceServerClient(address)
    infer = client.infer
    return {
        "raw": outputs(infer("churn", inputs(grpc, 3), request_id="a-2")),
        "gzip": outputs(infer("churn", inputs(grpc, 2), compression_algorithm="gzip")),
        "refused": refused(lambda: infer("nobody", inputs(grpc, 1))),
        "kinds": kinds(client),
        "stream": streamed(client),
        "failed stream": failed(client),
    }


def kinds(client: Any) -> dict[str, str]:
    """Tensors of other types, four values in a row: what Triton's model gives back of each."""
    asked = []
    for name, datatype, made in KINDS:
        tensor = grpc.InferInput(name, [1, 4], datatype)
        tensor.set_data_from_numpy(made)
        asked.append(tensor)
    result = client.infer("echo", asked)
    return {name: str(result.as_numpy(f"{name}_back").tolist()) for name, _, _ in KINDS}


def failed(client: Any) -> str:
    """What comes on a stream for a request that cannot be met; the call itself ends well."""
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put(error or result))
    tensor = grpc.InferInput("count", [1], "INT32")
    tensor.set_data_from_numpy(np.array([-1], np.int32))
    client.async_stream_infer("words", [tensor])
    said = str(answers.get(timeout=20))
    client.stop_stream()
    return said


def streamed(client: Any) -> list[int]:
    """The numbers that two requests on one stream were answered with, in order."""
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put(error or result))
    for count in (3, 2):
        tensor = grpc.InferInput("count", [1], "INT32")
        tensor.set_data_from_numpy(np.array([count], np.int32))
        client.async_stream_infer("words", [tensor])
    found = [int(answers.get(timeout=20).as_numpy("number")[0]) for _ in range(5)]
    client.stop_stream()
    return sorted(found)


def everything(http_address: str, grpc_address: str) -> dict[str, Any]:
    """All of it."""
    return rest(http_address) | {"events": generated(http_address), "grpc": calls(grpc_address)}


if __name__ == "__main__":
    report(everything, 2)
