import pytest

from sidecar.decoders import body
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.inference import Undecoded
from tests.decoders.reading import V2, decode, posted, table, tensor

REQUEST = {"inputs": [tensor("x", [1], [1])]}
ANSWER = {"model_name": "m", "outputs": [tensor("p", [1], [0.5])]}
REASONS = {
    BodyProblem.GAP: Undecoded.BODY_GAP,
    BodyProblem.TOO_LARGE: Undecoded.BODY_TOO_LARGE,
    BodyProblem.BAD_ENCODING: Undecoded.BODY_ENCODING,
    BodyProblem.UNKNOWN_ENCODING: Undecoded.BODY_ENCODING,
    BodyProblem.EXPANDS_TOO_MUCH: Undecoded.BODY_ENCODING,
    BodyProblem.CUT: Undecoded.BODY_CUT,
}


@pytest.mark.parametrize("problem", BodyProblem)
def test_every_problem_of_a_request_body_has_its_reason_and_does_not_cost_the_outputs(problem):
    seen = posted(V2, REQUEST, ANSWER)
    seen.request.problem = problem
    inference = decode(seen)
    assert inference.undecoded is REASONS[problem]
    assert inference.features == [] and table(inference.outputs) == {"p": [0.5]}


@pytest.mark.parametrize("problem", BodyProblem)
def test_a_problem_of_the_answer_does_not_cost_the_features(problem):
    seen = posted(V2, REQUEST, ANSWER)
    seen.response.problem = problem
    inference = decode(seen)
    assert inference.undecoded is REASONS[problem]
    assert table(inference.features) == {"x": [1]} and inference.outputs == []


@pytest.mark.parametrize("problem", BodyProblem)
def test_a_problem_of_a_failed_exchange_is_not_counted_as_undecoded(problem):
    seen = posted(V2, REQUEST, b"", status=500)
    seen.request.problem = problem
    assert decode(seen).undecoded is None


def test_only_a_200_must_have_something_to_read():
    for status in (202, 204, 304):
        inference = decode(posted(V2, REQUEST, b"", status=status))
        assert inference.undecoded is None and table(inference.features) == {"x": [1]}


def test_a_structured_cloudevent_is_its_data():
    event = CapturedBody(b'{"specversion": "1.0", "data": {"a": 1}}')
    assert body.document_of(event, {"content-type": "application/cloudevents+json; charset=UTF-8"}) == {
        "a": 1
    }
    assert "specversion" in body.document_of(event, {"content-type": "application/json"})


def test_an_empty_body_is_empty():
    with pytest.raises(Undecodable) as raised:
        body.data_of(CapturedBody(b" \r\n\t"))
    assert raised.value.reason is Undecoded.EMPTY_BODY


def test_the_id_of_the_body_comes_before_that_of_the_headers_and_has_a_limit():
    headers = {"content-type": "application/json", "x-request-id": "h"}
    assert decode(posted(V2, REQUEST | {"id": "b"}, ANSWER, request_headers=headers)).request_id == "b"
    assert decode(posted(V2, REQUEST, ANSWER, request_headers=headers)).request_id == "h"
    assert decode(posted(V2, REQUEST, ANSWER | {"id": "a"})).request_id == "a"
    assert len(decode(posted(V2, REQUEST | {"id": "x" * 10_000}, ANSWER)).request_id) <= 256


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"error": "text"}, "error"),
        ({"error": {"code": 429}}, "429"),
        ({"error": {"type": "a\nb"}}, "error"),
        ({"error": {}}, ""),
        ({"error": ""}, ""),
        ({"error": None}, ""),
        ({"error": True}, ""),
        ([], ""),
        (None, ""),
        ({"error": "x", "outputs": []}, ""),
    ],
)
def test_an_error_object_is_known_by_its_kind_only(document, error):
    assert body.error_of(document, "outputs") == error
