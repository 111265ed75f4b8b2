import pytest

from sidecar import decoders
from sidecar.inference import Operation, Undecoded
from tests.decoders.reading import V2, read, refused, table, tensor

JSON = {"content-type": "application/json"}


def request(**more):
    return {"inputs": [tensor("x", [2, 2], [1.5, 2, 3, 4])], **more}


def answer(*outputs, **more):
    return {"model_name": "m", "model_version": "7", "outputs": list(outputs), **more}


@pytest.mark.parametrize(
    ("target", "name", "version", "operation"),
    [
        ("/v2/models/m/infer", "m", "", "predict"),
        ("/v2/models/m/versions/v1.2/infer", "m", "v1.2", "predict"),
        ("/v2/models/m/infer?verbose=1", "m", "", "predict"),
        ("/v2/models/my%20model/infer", "my model", "", "predict"),
        ("/v2/models/org%2Fmodel/infer", "org/model", "", "predict"),
        ("/gateway/v2/models/m/infer", "m", "", "predict"),
        ("http://host:80/v2/models/m/infer", "m", "", "predict"),
        ("/v2/models/m/infer_stream", "m", "", "predict"),
        ("/v2/models/m/generate", "m", "", "generate"),
        ("/v2/models/m/versions/2/generate_stream", "m", "2", "generate"),
    ],
)
def test_the_path_says_model_version_and_operation(target, name, version, operation):
    claim = decoders.claim("POST", target, JSON)
    assert (claim.protocol, claim.model.name, claim.model.version) == ("v2", name, version)
    assert claim.operation is Operation(operation)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", V2),
        ("OPTIONS", V2),
        ("GET", "/v2/models/m"),
        ("POST", "/v2/repository/models/m/load"),
        ("POST", "/v2/repository/index"),
        ("GET", "/v2/health/ready"),
    ],
)
def test_what_else_the_protocol_offers_is_not_inference(method, target):
    assert decoders.claim(method, target, JSON) is None


def test_inputs_are_features_and_outputs_are_outputs():
    inference = read(V2, request(id="r1"), answer(tensor("p", [2, 2], [0.1, 0.9, 0.8, 0.2])))
    assert inference.rows == 2
    assert table(inference.features) == {"x[0]": [1.5, 3], "x[1]": [2, 4]}
    assert table(inference.outputs) == {"p[0]": [0.1, 0.8], "p[1]": [0.9, 0.2]}
    assert (inference.model.version, inference.request_id) == ("7", "r1")
    assert inference.undecoded is None


def test_a_version_in_the_path_is_not_overridden_by_the_answer():
    inference = read("/v2/models/m/versions/2/infer", request(), answer(tensor("p", [2], [0, 1])))
    assert inference.model.version == "2"


@pytest.mark.parametrize("version", [None, "", [], {}])
def test_a_version_that_is_null_or_no_text_is_no_version(version):
    inference = read(V2, request(), answer(tensor("p", [2], [0, 1])) | {"model_version": version})
    assert inference.model.version == "" and inference.undecoded is None


def test_a_whole_score_is_a_score_and_a_whole_class_is_a_class():
    scores = read(V2, request(), answer(tensor("p", [2], [1, 0.5], "FP32"))).outputs[0].values
    classes = read(V2, request(), answer(tensor("p", [2], [1, 0], "INT64"))).outputs[0].values
    assert [type(v) for v in scores] == [float, float]
    assert [type(v) for v in classes] == [int, int]


def test_an_error_object_in_a_200_is_an_error_and_not_undecoded():
    inference = read(V2, request(), {"error": "shape [1,4] of customer 4711 is wrong"})
    assert inference.error == "error"
    assert inference.undecoded is None and inference.features


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", Undecoded.EMPTY_BODY),
        (b" \n", Undecoded.EMPTY_BODY),
        (b"{", Undecoded.NOT_JSON),
        ([], Undecoded.SHAPE),
        ({}, Undecoded.SHAPE),
        ({"inputs": []}, Undecoded.SHAPE),
        ({"inputs": {"a": [1]}}, Undecoded.SHAPE),
    ],
)
def test_a_broken_request_that_succeeds_is_undecoded_and_its_answer_is_still_read(broken, reason):
    inference = read(V2, broken, answer(tensor("p", [1], [0.5])))
    assert inference.undecoded is reason
    assert inference.features == [] and inference.rows == 0
    assert table(inference.outputs) == {"p": [0.5]} and inference.model.version == "7"


def test_a_broken_answer_does_not_cost_the_features():
    inference = read(V2, request(), b"<html>")
    assert inference.undecoded is Undecoded.NOT_JSON
    assert inference.rows == 2 and len(inference.features) == 2 and inference.outputs == []


def test_a_failed_inference_has_features_and_no_outputs():
    inference = refused(V2, request())
    assert len(inference.features) == 2 and inference.outputs == [] and inference.undecoded is None


def test_null_in_floating_point_data_is_null():
    inference = read(V2, {"inputs": [tensor("x", [2], [None, 1.5])]}, answer(tensor("p", [2], [None, 0.5])))
    assert table(inference.features) == {"x": [None, 1.5]}
    assert table(inference.outputs) == {"p": [None, 0.5]}


def test_a_generate_body_is_not_read_as_features():
    inference = read(
        "/v2/models/m/generate", {"text_input": "secret"}, {"model_name": "m", "text_output": "x"}
    )
    assert inference.features == [] and inference.outputs == [] and inference.undecoded is None


def test_members_that_are_unset_may_be_null_or_absent():
    inputs = [tensor("x", [2], [1, 2], parameters=None), {"name": None, "shape": [2], "data": [3, 4]}]
    asked = {"id": None, "parameters": None, "outputs": None, "inputs": inputs}
    said = {"model_version": None, "parameters": None, "id": None, "error": None}
    inference = read(V2, asked, answer(tensor("p", [2], [0.1, 0.2], parameters=None), **said))
    assert table(inference.features) == {"x": [1, 2], "input": [3, 4]}
    assert table(inference.outputs) == {"p": [0.1, 0.2]}
    assert (inference.model.version, inference.request_id, inference.undecoded) == ("", "", None)


def test_parameters_of_triton_are_neither_features_nor_in_the_way():
    parameters = {
        "sequence_id": 7,
        "sequence_start": True,
        "priority": 1,
        "headers": {"a": "b"},
        "timeout": 5,
    }
    inference = read(V2, request(parameters=parameters), answer(tensor("p", [2], [0.1, 0.2])))
    assert [column.name for column in inference.features] == ["x[0]", "x[1]"]
    assert inference.undecoded is None and not inference.elsewhere


def test_features_in_shared_memory_are_elsewhere_not_missing():
    shared = {"shared_memory_region": "r", "shared_memory_byte_size": 32}
    region = {"name": "s", "shape": [2, 4], "datatype": "FP32", "parameters": shared}
    alone = read(V2, {"inputs": [region]}, answer(tensor("p", [2], [0.1, 0.2])))
    assert (alone.rows, alone.features, alone.elsewhere, alone.undecoded) == (2, [], True, None)
    both = read(V2, {"inputs": [tensor("x", [2], [1, 2]), region]}, answer(tensor("p", [2], [0.1, 0.2])))
    assert table(both.features) == {"x": [1, 2]} and both.elsewhere


def test_a_text_too_wide_for_columns_is_not_elsewhere():
    inference = read(V2, {"inputs": [tensor("x", [1, 300], ["a"] * 300, "BYTES")]}, b"")
    assert inference.features == [] and not inference.elsewhere


def test_outputs_in_shared_memory_have_no_columns():
    outputs = [{"name": "p", "shape": [2], "datatype": "FP32", "parameters": {"shared_memory_region": "r"}}]
    inference = read(V2, request(), answer(*outputs))
    assert inference.outputs == [] and inference.undecoded is None


def test_a_classification_is_only_what_was_asked_for():
    best = answer(tensor("p", [2, 1], ["0.9:1", "0.8:0"], "BYTES"))
    asked = request(outputs=[{"name": "p", "parameters": {"classification": 1}}])
    assert table(read(V2, asked, best).outputs) == {"p": [1, 0], "p.score": [0.9, 0.8]}
    assert table(read(V2, request(), best).outputs) == {"p": ["0.9:1", "0.8:0"]}
    for padding in ("x" * 10_000, ""):
        assert "p.score" in table(read(V2, {"id": padding, **asked}, best).outputs)
        assert "p" in table(read(V2, {"id": padding, **request()}, best).outputs)
    scores = answer(tensor("p", [2], [0.9, 0.8]))
    assert table(read(V2, {"id": "x" * 10_000, **asked}, scores).outputs) == {"p": [0.9, 0.8]}


def test_an_embedding_that_is_answered_is_summarised():
    inference = read(V2, request(), answer(tensor("e", [2, 384], [0.5] * 768)))
    assert [c.name for c in inference.outputs] == ["e.norm", "e.mean", "e.sparsity", "e.dimension"]
