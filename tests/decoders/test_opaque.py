import pytest

from sidecar import decoders
from sidecar.inference import Undecoded
from tests.decoders.reading import read, refused


@pytest.mark.parametrize(
    ("target", "content_type"),
    [
        ("/predict", "application/vnd.apache.parquet"),
        ("/v1/detect", "image/jpeg"),
        ("/inference.GRPCInferenceService/ModelInfer", "application/grpc-web+proto"),
    ],
)
def test_inference_we_cannot_read_is_counted_with_a_reason(target, content_type):
    headers = {"content-type": content_type}
    inference = read(target, b"\x00\xff", b"\x00", request_headers=headers)
    assert inference.protocol == "unknown"
    assert inference.undecoded is Undecoded.CONTENT_TYPE
    assert refused(target, b"\x00", request_headers=headers).undecoded is None


def test_an_error_object_in_its_answer_is_seen():
    headers = {"content-type": "image/png"}
    assert read("/predict", b"\x89PNG", {"error": "no"}, request_headers=headers).error == "error"


def test_an_upload_that_names_no_verb_is_not_inference():
    assert decoders.claim("POST", "/files", {"content-type": "image/png"}) is None
