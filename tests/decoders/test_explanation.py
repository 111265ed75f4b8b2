"""What a person is told about one exchange: who read it, why, what was found, what would help."""

import json

import pytest

from sidecar import decoders
from sidecar.exchange import BodyProblem
from sidecar.inference import MISSING
from sidecar.policy import PayloadRule
from tests.decoders.reading import V1, V2, posted, tensor

REQUEST = {"inputs": [tensor("x", [2], [1, 2])], "id": "r"}
ANSWER = {"model_name": "m", "outputs": [tensor("p", [2], [0.5, 0.7])]}


def test_which_decoder_why_and_what_it_read():
    said = decoders.explain(posted(V2, REQUEST, ANSWER))
    assert said["inference"] and said["protocol"] == "v2" and "/v2/models/" in said["evidence"]
    assert said["features"] == {"x": [1, 2]} and said["outputs"] == {"p": [0.5, 0.7]}
    assert said["problems"] == [] and said["undecoded"] is None and said["request_id"] == "r"
    assert said["advice"] == []


def test_what_is_wrong_with_each_side():
    said = decoders.explain(posted(V2, {"inputs": [tensor("x", [3], [1])]}, b"<html>"))
    assert said["undecoded"] == "shape"
    assert [problem.partition(":")[0] for problem in said["problems"]] == ["request", "answer"]


def test_it_is_strict_json_and_short_whatever_the_values():
    body = b'{"instances": [{"a": NaN, "b": {"c": 1}, "d": "%s"}, {"a": 1e999}]}' % (b"x" * 1000)
    said = decoders.explain(posted(V1, body, b'{"predictions": NaN}'))
    assert said["features"]["a"] == ["nan", "inf"]
    assert said["features"]["b"] == ["object of 1", repr(MISSING)]
    assert said["features"]["d"][0] == "x" * 99 + "…"
    json.dumps(said, allow_nan=False)


def test_what_is_not_inference_says_what_it_is():
    assert decoders.explain(posted("/metrics", b"{}")) == {
        "inference": False,
        "kind": "metrics",
        "advice": [],
    }
    said = decoders.explain(posted("/upload", b"", request_headers={"content-type": "image/png"}))
    assert said["kind"] == "other" and "payload.paths" in said["advice"][0]


@pytest.mark.parametrize(
    ("target", "request_", "answer", "told"),
    [
        ("/score", [[1, 2]], {"prediction": 1}, "features have no names"),
        ("/score", {"a": 1}, {"b": {}, "c": {}}, "say where the rows are with payload.rows"),
        ("/score", {"a": 1}, {"prediction": 1}, "set model.name"),
        (
            "/v2/models/m/infer",
            {"inputs": [tensor("x", [1, 2], [1, 2])]},
            ANSWER,
            "give them with a reference",
        ),
        ("/v1/models/m:predict", b"{", {"predictions": []}, "the body is not JSON"),
        ("/score", b"", {"prediction": 1}, "if the body has any"),
    ],
)
def test_advice_says_what_to_configure(target, request_, answer, told):
    assert any(told in sentence for sentence in decoders.explain(posted(target, request_, answer))["advice"])


def test_a_body_that_was_too_large_says_so():
    seen = posted(V2, REQUEST, ANSWER)
    seen.request.problem = BodyProblem.TOO_LARGE
    assert "larger bodies are counted" in decoders.explain(seen)["advice"][0]


def test_a_payload_of_the_configuration_is_explained_as_such():
    known = decoders.Decoders([PayloadRule(rows="x", features=("a",))])
    said = decoders.explain(posted("/score", {"x": [[7]]}, {"prediction": 1}), known)
    assert said["protocol"] == "payload" and said["features"] == {"a": [7]}
    assert said["evidence"].startswith("a payload is configured")
