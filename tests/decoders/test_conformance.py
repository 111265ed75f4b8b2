"""What holds for every decoder and any input: no exception, columns as long as there are rows, bounds."""

import json
import string
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar import decoders
from sidecar.decoders import columns
from sidecar.exchange import BodyProblem, Outcome, StreamEvent
from sidecar.inference import Inference, Undecoded
from tests.decoders import captures
from tests.decoders.reading import decode, posted

# One path per decoder; a new member of ALL without one here fails below.
PATHS = {
    "v2-grpc": ("/inference.GRPCInferenceService/ModelInfer", "application/grpc"),
    "tfs-grpc": ("/tensorflow.serving.PredictionService/Predict", "application/grpc+proto"),
    "seldon-grpc": ("/seldon.protos.Seldon/Predict", "application/grpc"),
    "torchserve-grpc": (
        "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
        "application/grpc",
    ),
    "grpc": ("/acme.Churn/Ask", "application/grpc"),
    "v2": ("/v2/models/m/infer", "application/json"),
    "v1": ("/v1/models/m:predict", "application/json"),
    "seldon": ("/api/v1.0/predictions", "application/json"),
    "sagemaker": ("/models/m/invoke", "application/json"),
    "mlflow": ("/invocations", "application/json"),
    "torchserve": ("/predictions/m", "application/json"),
    "vertex": ("/v1/projects/p/locations/l/endpoints/1:predict", "application/json"),
    "anthropic": ("/v1/messages", "application/json"),
    "ollama": ("/api/chat", "application/json"),
    "openai": ("/v1/chat/completions", "application/json"),
    "rerank": ("/rerank", "application/json"),
    "tgi": ("/generate", "application/json"),
    "json": ("/score", "application/json"),
    "unknown": ("/predict", "image/png"),
}
MEDIA = [
    "application/json",
    "text/csv",
    "application/x-ndjson",
    "application/cloudevents+json",
    "text/plain",
    "application/json; charset=utf-16",
    "image/png",
    "",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/x-npy",
    "application/x-recordio-protobuf",
    "text/libsvm",
    "text/html",
]
WORDS = [
    "inputs",
    "outputs",
    "name",
    "shape",
    "datatype",
    "data",
    "instances",
    "predictions",
    "columns",
    "dataframe_split",
    "dataframe_records",
    "examples",
    "context",
    "results",
    "error",
    "id",
    "parameters",
    "features",
    "values",
    "model_name",
    "model_version",
    "b64",
    "prediction",
    "messages",
    "names",
    "ndarray",
    "tensor",
    "tftensor",
    "jsonData",
    "strData",
    "meta",
    "status",
    "puid",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats()
    | st.sampled_from(["FP32", "INT64", "BYTES", "", "x", "nan", "1.5"])
    | st.text(max_size=4)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(string.ascii_lowercase, max_size=3), inner, max_size=5
        )
    ),
    max_leaves=20,
)
bodies = documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60)
fast = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(inference: Inference) -> None:
    assert all(len(column.values) == inference.rows for column in inference.features)
    assert len({len(column.values) for column in inference.outputs}) <= 1
    for side in (inference.features, inference.outputs):
        assert len(side) <= columns.MAX_COLUMNS
        assert len({column.name for column in side}) == len(side)
        assert all(type(column.name) is str for column in side)
        assert all(isinstance(c.values, list) or np.ndim(c.values) == 1 for c in side)
    assert 0 <= inference.rows <= columns.MAX_ROWS
    assert inference.undecoded is None or isinstance(inference.undecoded, Undecoded)
    assert inference.undecoded is not Undecoded.INTERNAL
    assert type(inference.error) is str and len(inference.error) <= 64
    assert type(inference.model.name) is str and type(inference.model.version) is str


def test_every_decoder_has_a_path_here_that_it_claims():
    assert set(PATHS) == {decoder.name for decoder in decoders.ALL}
    for name, (target, content_type) in PATHS.items():
        assert decoders.claim("POST", target, {"content-type": content_type}).protocol == name


@pytest.mark.parametrize("name", PATHS)
@fast
@given(
    request_=bodies,
    answer=bodies,
    media=st.sampled_from(MEDIA),
    answer_media=st.sampled_from(MEDIA),
    status=st.sampled_from([200, 200, 200, 204, 400, 500]),
    streamed=st.booleans(),
)
def test_any_bytes_and_any_json_are_read_or_have_a_reason(
    name, request_, answer, media, answer_media, status, streamed
):
    claim = decoders.claim("POST", PATHS[name][0], {"content-type": PATHS[name][1]})
    seen = posted(
        PATHS[name][0],
        request_,
        answer,
        status=status,
        streamed=streamed,
        events=[StreamEvent(1, answer)],
        request_headers={"content-type": media},
        response_headers={"content-type": answer_media},
    )
    inference = decoders.decode(seen, claim)
    check(inference)
    assert repr(inference) == repr(decoders.decode(seen, claim))
    json.dumps(decoders.explain(seen), allow_nan=False)


@fast
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS", ""]),
    target=st.text(max_size=40),
    content_type=st.text(max_size=20),
)
def test_any_request_head_is_claimed_or_not(method, target, content_type):
    claim = decoders.claim(method, target, {"content-type": content_type})
    assert claim is None or method in ("POST", "PUT")
    assert decoders.other_kind(method, target) in {"probe", "metadata", "metrics", "admin", "cors", "other"}


@pytest.mark.parametrize("case", captures.CASES)
def test_a_capture_cut_anywhere_is_read_or_has_a_reason(case):
    for side in ("request", "response"):
        seen = captures.exchange(case)
        if decoders.claim(seen.method, seen.target, seen.request_headers) is None:
            return
        body = getattr(seen, side)
        whole = body.data
        for end in range(0, len(whole), max(1, len(whole) // 60)):
            body.data = whole[:end]
            check(decode(seen))


HOSTILE: dict[str, Any] = {
    "depth 1000": b'{"instances":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "depth 1020 objects": b'{"a":' * 1020 + b"1" + b"}" * 1020,
    "depth 1025": b"[" * 1025 + b"]" * 1025,
    "depth a million": b"[" * 1_000_000,
    "depth of a million, closed": b'{"instances":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "deep after NaN": b"[NaN," + b"[" * 100_000 + b"]" * 100_001,
    "huge integers": b'{"instances":[' + b",".join([b"9" * 4300] * 200) + b"]}",
    "2 MB of 1,": b'{"instances":[' + b"1," * 1_000_000 + b"1]}",
    "300k keys": json.dumps({"instances": [{str(i): 1 for i in range(300_000)}]}).encode(),
    "a key of 1 MB": json.dumps({"instances": [{"k" * 1_000_000: 1}]}).encode(),
    "a matrix under a name of 1 MB": json.dumps({"k" * 1_000_000: [[1] * 900]}).encode(),
    "sparse records": json.dumps({"instances": [{str(i % 990): 1} for i in range(20_000)]}).encode(),
    "ragged lists": json.dumps({"instances": [[]] * 90_000 + [[0] * 1000]}).encode(),
    "two documents": b'{"instances":[1]}{"instances":[2]}',
    "shape of rank 10,000": json.dumps(
        {"inputs": [{"name": "x", "shape": [1] * 10_000, "datatype": "FP32", "data": [1]}]}
    ).encode(),
    "claims 2^40 elements": json.dumps(
        {"inputs": [{"name": "x", "shape": [1, 2**40], "datatype": "FP32", "data": [1]}]}
    ).encode(),
    "claims 100k x 1000": json.dumps(
        {"inputs": [{"name": "x", "shape": [100_000, 1000], "datatype": "FP32", "data": [1]}]}
    ).encode(),
    "10k tensors": json.dumps(
        {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}] * 10_000}
    ).encode(),
    "tensor nested 900 deep": b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":'
    + b"[" * 900
    + b"1"
    + b"]" * 900
    + b"}]}",
    "classify pairs": json.dumps(
        {"examples": [{"a": 1}] * 50_000, "context": {str(i): i for i in range(900)}}
    ).encode(),
}
HOSTILE |= {
    "a tftensor of 8 bytes and 900 values a row": json.dumps(
        {"data": {"tftensor": {"tensorShape": {"dim": [{"size": 100_000}, {"size": 900}]}, "intVal": [1]}}}
    ).encode(),
    "half a million names": json.dumps({"data": {"names": ["n"] * 500_000, "ndarray": [[1]]}}).encode(),
    "messages in messages": b'{"jsonData":' * 900 + b"1" + b"}" * 900,
    "duplicate keys": b'{"data":{"ndarray":[[1]],"ndarray":[[2],[3]],"names":["a"],"names":[]},"data":null}',
}
# A million numbers honestly cost 30 MB while orjson reads them; what nobody bounded costs gigabytes.
LARGEST_BYTES = 100_000_000


@pytest.mark.parametrize(
    "name", ["v2", "v1", "seldon", "sagemaker", "mlflow", "torchserve", "json", "openai"]
)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_bodies_have_a_reason_or_are_read_in_bounds(name, hostile):
    target, content_type = PATHS[name]
    for request_, answer in ((HOSTILE[hostile], b"{}"), (b"{}", HOSTILE[hostile])):
        seen = posted(target, request_, answer, request_headers={"content-type": content_type})
        tracemalloc.start()
        try:
            check(decode(seen))
            assert tracemalloc.get_traced_memory()[1] < LARGEST_BYTES
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("problem", [None, *BodyProblem])
def test_every_outcome_and_problem_together_are_fine(outcome, problem):
    for target, content_type in PATHS.values():
        seen = posted(target, b"{", b"{", outcome=outcome, request_headers={"content-type": content_type})
        seen.request.problem = seen.response.problem = problem
        inference = decode(seen)
        check(inference)
        assert inference.undecoded is None or outcome is Outcome.OK
