"""Models that only the CloudEvents attributes beside an answer name (part of sidecar/decoders/choose.py)."""

import pytest

from sidecar.decoders import choose
from sidecar.inference import Inference, ModelRef
from tests.fakes import exchange


def read(target: str, request: dict[str, str], response: dict[str, str]) -> Inference:
    one = exchange(
        b'{"instances": [[1]]}',
        b'{"predictions": [0.5]}',
        target=target,
        request_headers={"content-type": "application/json", **request},
        response_headers={"content-type": "application/json", **response},
    )
    claim = choose.claim(one.method, one.target, one.request_headers)
    assert claim is not None
    assert choose.unread(one, claim).model == choose.decode(one, claim).model
    return choose.decode(one, claim)


NODE = {"ce-modelid": "classifier", "ce-inferenceservicename": "mydep", "ce-endpoint": "canary"}


@pytest.mark.parametrize(
    ("target", "said", "model"),
    [
        ("/predict", NODE, ModelRef("classifier", "canary")),
        ("/predict", {"ce-inferenceservicename": "mydep", "ce-endpoint": "default"}, ModelRef("mydep")),
        ("/v1/models/churn:predict", NODE, ModelRef("churn", "canary")),
        ("/v1/models/churn/versions/3:predict", NODE, ModelRef("churn", "3")),
    ],
)
def test_what_path_and_body_do_not_say_the_attributes_of_the_answer_do(target, said, model):
    assert read(target, {}, said).model == model


def test_a_client_cannot_name_a_model_by_attributes():
    assert read("/predict", NODE, {}).model == ModelRef()
