"""Real clients of the Open Inference Protocol talking to real servers, read as they were meant."""

import math
from typing import Any

import pytest

from sidecar.exchange import Outcome
from sidecar.inference import Undecoded
from tests.decoders import captures
from tests.decoders.reading import decode, table

CASES = [
    case for case, expected in captures.EXPECTED.items() if "tensors" in expected.get("request", {})
    and "-grpc" not in case
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_capture_is_read_as_the_client_sent_and_the_model_answered_it(case):
    expected = captures.EXPECTED[case]
    inference = decode(captures.exchange(case))
    asked, answered = expected["request"], expected["response"]

    assert (inference.protocol, inference.undecoded) == ("v2", None)
    assert inference.model.name == (asked["model"] or answered["model"])
    assert inference.model.version == (asked["version"] or answered["version"] or "")
    assert inference.request_id == (asked["id"] or answered["id"] or "")
    assert inference.rows == max(tensor["shape"][0] for tensor in asked["tensors"])
    assert table(inference.features) == columns_of(asked["tensors"])
    assert table(inference.outputs) == columns_of(answered["tensors"])
    assert not inference.elsewhere and not inference.decoupled


def test_there_are_captures_of_json_of_raw_tensors_and_of_sagemaker():
    assert {case.partition("/")[0] for case in CASES} == {"v2-rest", "v2-rest-binary", "sagemaker"}
    assert len(CASES) >= 9


def test_what_is_a_class_and_what_a_score_is_as_the_datatypes_say():
    kinds = {
        name: {type(value) for value in values}
        for name, values in table(decode(captures.exchange("v2-rest/mls_pd_mixed_nulls")).outputs).items()
    }
    assert kinds["label"] == {str} and kinds["rank"] == {int} and kinds["proba"] == {float, type(None)}
    echoed = decode(captures.exchange("v2-rest-binary/ks_echo_bin_mixed")).outputs
    assert {type(value) for value in echoed[1].values} == {bool}


def test_a_classification_is_a_class_and_its_score():
    inference = decode(captures.exchange("v2-rest-binary/tr_classcount"))
    assert table(inference.outputs) == {"proba": [0, 2], "proba.score": [0.726414, 0.942177]}
    assert inference.rows == 2 and len(inference.features) == 4


def test_a_stream_of_answers_is_all_their_rows():
    inference = decode(captures.exchange("v2-rest/mls_infer_stream_sse"))
    assert table(inference.features) == {"prompt": ["the quick brown fox"]}
    assert table(inference.outputs) == {"output": ["the ", "quick ", "brown ", "fox "]}
    assert inference.decoupled and inference.undecoded is None
    assert (inference.model.name, inference.request_id) == ("tok", "s-1")


def test_every_exchange_of_a_pipelined_connection_is_read():
    for number, expected in enumerate(captures.EXPECTED["v2-rest/mls_keepalive_pipelined"]["exchanges"]):
        inference = decode(captures.exchange("v2-rest/mls_keepalive_pipelined", number))
        assert (inference.request_id, inference.model.name) == (expected["id"], expected["model"])


def test_the_features_of_a_request_that_the_server_cannot_unpack_are_read_all_the_same():
    inference = decode(captures.exchange("v2-rest-binary/ks_bin_gzip"))
    assert inference.features and inference.undecoded is None


def test_a_size_that_lies_costs_the_features_and_nothing_else():
    seen = captures.exchange("v2-rest-binary/stub_lying_sizes")
    inference = decode(seen)
    assert inference.features == [] and inference.undecoded is None
    seen.status, seen.outcome = 200, Outcome.OK
    assert decode(seen).undecoded is Undecoded.SHAPE


def columns_of(tensors: list[dict[str, Any]]) -> dict[str, list[Any]]:
    rows = max(tensor["shape"][0] for tensor in tensors)
    columns = {}
    for tensor in tensors:
        if tensor["shape"][0] != rows:
            continue
        width = math.prod(tensor["shape"][1:])
        for i in range(width):
            columns[tensor["name"] if width == 1 else f"{tensor['name']}[{i}]"] = tensor["data"][i::width]
    return columns
