import pytest

from sidecar import decoders
from sidecar.decoders import choose
from sidecar.inference import ModelRef, Operation, Undecoded
from tests.decoders.reading import V2, decode, posted, read, tensor

JSON = {"content-type": "application/json"}
REQUEST = {"inputs": [tensor("x", [2], [1, 2])]}
ANSWER = {"model_name": "m", "outputs": [tensor("p", [2], [0.5, 0.7])]}


class Faulty:
    name = "faulty"

    def claim(self, method, path, media):
        return None

    def read_request(self, exchange, inference):
        raise ZeroDivisionError("secret 4711")

    def read_answer(self, exchange, inference):
        inference.outputs = [None]
        raise KeyError("secret 4711")


def test_a_fault_of_a_decoder_is_counted_as_internal_and_never_raised(monkeypatch):
    monkeypatch.setitem(choose._BY_NAME, "faulty", Faulty())
    inference = decoders.decode(posted("/", b"x"), decoders.Claim("faulty", Operation.PREDICT))
    assert inference.undecoded is Undecoded.INTERNAL
    assert inference.features == [] and inference.outputs == []
    assert "secret" not in str(inference)


def test_a_claim_by_a_decoder_that_is_gone_is_not_fatal():
    assert decoders.decode(posted("/", b"x"), decoders.Claim("gone", Operation.PREDICT)).undecoded


def test_the_order_is_from_the_most_to_the_least_certain():
    names = [decoder.name for decoder in decoders.ALL]
    assert len(set(names)) == len(names)
    assert names[:6] == ["v2-grpc", "tfs-grpc", "seldon-grpc", "torchserve-grpc", "grpc", "v2"]
    assert names[6:9] == ["v1", "seldon", "sagemaker"] and names[-2:] == ["json", "unknown"]
    assert names.index("sagemaker") < names.index("mlflow") < names.index("json")


def test_claims_are_remembered_but_not_without_bound():
    choose._claim.cache_clear()
    for i in range(choose._REMEMBERED_CLAIMS + 100):
        decoders.claim("POST", f"/x{i}", JSON)
    assert choose._claim.cache_info().currsize == choose._REMEMBERED_CLAIMS


def test_parameters_and_queries_do_not_take_places_and_long_targets_are_not_remembered():
    choose._claim.cache_clear()
    for i in range(50):
        decoders.claim("POST", f"/predict?age={i}", {"content-type": f"multipart/form-data; boundary={i}"})
    assert choose._claim.cache_info().currsize == 1
    assert decoders.claim("POST", "/predict/" + "x" * 100_000, JSON).protocol == "json"
    assert choose._claim.cache_info().currsize == 1


@pytest.mark.parametrize(
    "content_type", ["APPLICATION/JSON", " application/json ; charset=utf-8", "text/JSON"]
)
def test_a_content_type_is_compared_without_case_and_parameters(content_type):
    assert decoders.claim("POST", "/x", {"content-type": content_type}).protocol == "json"


def test_decoding_is_pure():
    seen = posted(V2, REQUEST, ANSWER)
    assert decode(seen) == decode(seen)
    assert seen == posted(V2, REQUEST, ANSWER)


def test_a_model_that_the_claim_names_survives_an_unreadable_body():
    inference = read("/v2/models/m/versions/3/infer", b"{", b"{")
    assert inference.model == ModelRef("m", "3")


@pytest.mark.parametrize("status", [200, 400, 503])
def test_what_is_left_unread_is_known_by_its_head_alone(status):
    seen = posted(V2, {"inputs": [tensor("x", [1], [0.5])]}, b"{}", status=status)
    inference = decoders.unread(seen, decoders.claim(seen.method, seen.target, seen.request_headers))
    assert (inference.protocol, inference.operation, inference.model.name) == ("v2", Operation.PREDICT, "m")
    assert inference.rows == 0 and not inference.features and not inference.outputs
    assert inference.undecoded is (Undecoded.OVERLOAD if status == 200 else None)
