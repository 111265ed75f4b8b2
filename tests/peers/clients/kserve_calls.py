"""KServe's own clients, over V1, V2 with JSON and raw tensors, and gRPC."""

import asyncio
from typing import Any

import grpc
import httpx
import numpy as np
from both import report
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


def request(number: int, raw: bool) -> InferRequest:
    """Two rows of three features."""
    tensor = InferInput("x", list(ROWS.shape), "FP32")
    tensor.set_data_from_numpy(ROWS, binary_data=raw)
    asked = {"binary_data_output": True} if raw else None
    return InferRequest("sums", [tensor], request_id=f"r-{number}", parameters=asked)


async def v1(url: str) -> dict[str, Any]:
    """Three exchanges of V1, the last of them refused."""
    client = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))
    rows = {"instances": ROWS.tolist()}
    found = {
        "v1": await client.infer(url, rows, model_name="sums"),
        "explain": await client.explain(url, model_name="sums", data=rows),
    }
    try:
        await client.infer(url, rows, model_name="nobody")
    except httpx.HTTPStatusError as error:
        found["refused"] = error.response.status_code
    await client.close()
    return found


async def v2(url: str) -> dict[str, Any]:
    """Two exchanges of V2."""
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    found = {}
    for number, raw in enumerate([False, True]):
        answer = await client.infer(url, request(number, raw), model_name="sums")
        found[f"raw {raw}"] = answer.outputs[0].as_numpy().tolist()
    await client.close()
    return found


async def calls(address: str) -> dict[str, Any]:
    """Three calls, the last of them refused."""
    found: dict[str, Any] = {}
    async with InferenceGRPCClient(address, retries=0) as client:
        for number, raw in enumerate([False, True], start=2):
            answer = await client.infer(request(number, raw))
            found[f"raw {raw}"] = answer.outputs[0].as_numpy().tolist()
        nobody = request(4, True)
        nobody.model_name = "nobody"
        try:
            await client.infer(nobody)
        except grpc.aio.AioRpcError as error:
            found["refused"] = str(error.code())
    return found


async def _everything(rest: str, address: str) -> dict[str, Any]:
    url = f"http://{rest}"
    return {"v1": await v1(url), "v2": await v2(url), "grpc": await calls(address)}


def everything(rest: str, address: str) -> dict[str, Any]:
    """All of it."""
    return asyncio.run(_everything(rest, address))


if __name__ == "__main__":
    report(everything, 2)
