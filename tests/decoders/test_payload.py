"""A payload mapping reads JSON of no known protocol where the operator says that rows and predictions are."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings

from sidecar.decoders import Decoders
from sidecar.inference import MISSING, ModelRef, Operation, Undecoded
from sidecar.policy import PayloadRule
from tests.decoders.reading import V1, V2, posted, table, tensor
from tests.decoders.test_conformance import bodies, check

RULE = PayloadRule(
    rows="body.customers",
    features="body.names",
    predictions="result[].score",
    id="meta.id",
    model="meta.model",
    version="meta.version",
)
REQUEST = {
    "meta": {"id": "r-1", "model": "churn"},
    "body": {"names": ["age", "income"], "customers": [[41, 3.5], [28, None]]},
}
ANSWER = {"meta": {"version": 7}, "result": [{"score": 0.25}, {"score": 0.75}]}


def read(rule, request, answer, target="/score", **more):
    seen, known = posted(target, request, answer, **more), Decoders([rule])
    return known.decode(seen, known.claim("POST", target, seen.request_headers))


def test_rows_names_predictions_id_model_and_version_are_where_the_rule_says():
    inference = read(RULE, REQUEST, ANSWER)
    assert (inference.protocol, inference.operation) == ("payload", Operation.PREDICT)
    assert inference.rows == 2
    assert table(inference.features) == {"age": [41, 28], "income": [3.5, None]}
    assert table(inference.outputs) == {"prediction": [0.25, 0.75]}
    assert inference.request_id == "r-1"
    assert inference.model == ModelRef("churn", "7")
    assert inference.undecoded is None
    assert inference.evidence.endswith("rows are at body.customers")


def test_the_answer_knows_the_model_better_than_the_request():
    answer = {**ANSWER, "meta": {"model": "churn-b", "version": 8}}
    assert read(RULE, REQUEST, answer).model == ModelRef("churn-b", "8")


@pytest.mark.parametrize(
    ("found", "rows", "columns"),
    [
        ([{"a": 1}, {"a": 2, "b": 3}], 2, {"a": [1, 2], "b": [MISSING, 3]}),
        ([[1, 2], [3, 4]], 2, {"input[0]": [1, 3], "input[1]": [2, 4]}),
        ([1, 2, 3], 3, {"input[0]": [1, 2, 3]}),
        ({"a": [1, 2], "b": [3, 4]}, 2, {"a": [1, 2], "b": [3, 4]}),
        ({"a": [1, 2], "b": 3}, 1, {"a": [[1, 2]], "b": [3]}),
        ("text", 1, {"input[0]": ["text"]}),
    ],
)
def test_a_list_is_rows_an_object_of_lists_columns_and_anything_else_one_row(found, rows, columns):
    inference = read(PayloadRule(rows="x"), {"x": found}, {"y": 1})
    assert (inference.rows, table(inference.features)) == (rows, columns)


@pytest.mark.parametrize(
    ("rule", "columns"),
    [
        (PayloadRule(rows="x", features=("a", "b")), {"a": [1], "b": [2]}),
        (PayloadRule(rows="x", features='`["a", "b"]`'), {"a": [1], "b": [2]}),
        (PayloadRule(rows="{a: x[*][0], b: x[*][1]}"), {"a": [1], "b": [2]}),
        (PayloadRule(rows="[x[0]]", features=("a", "b")), {"a": [1], "b": [2]}),
    ],
)
def test_names_may_be_written_down_or_made_by_the_expression(rule, columns):
    assert table(read(rule, {"x": [[1, 2]]}, {}).features) == columns


def test_names_of_another_width_than_the_rows_are_a_reason():
    inference = read(PayloadRule(rows="x", features=("a",)), {"x": [[1, 2]]}, {"prediction": 1})
    assert (inference.undecoded, inference.rows, inference.features) == (Undecoded.SHAPE, 0, [])
    assert table(inference.outputs) == {"prediction": [1]}


def test_what_finds_nothing_has_a_reason_and_the_other_side_is_kept():
    inference = read(RULE, {"other": 1}, ANSWER)
    assert (inference.undecoded, inference.rows) == (Undecoded.NO_ROWS, 0)
    assert table(inference.outputs) == {"prediction": [0.25, 0.75]}

    inference = read(RULE, REQUEST, {"other": 1})
    assert (inference.undecoded, inference.rows, inference.outputs) == (Undecoded.SHAPE, 2, [])


def test_an_error_object_in_place_of_predictions_is_an_error():
    inference = read(RULE, REQUEST, {"error": {"type": "quota", "message": "…"}})
    assert (inference.error, inference.undecoded) == ("quota", None)


def test_habits_fill_in_what_the_rule_leaves_out():
    inference = read(PayloadRule(predictions="deep.er"), {"instances": [{"a": 1}]}, {"deep": {"er": [2]}})
    assert table(inference.features) == {"a": [1]}
    assert table(inference.outputs) == {"prediction": [2]}

    inference = read(PayloadRule(rows="x"), {"x": [[1]]}, {"predictions": [2]})
    assert table(inference.outputs) == {"prediction": [2]}


def test_csv_is_read_as_without_a_rule():
    inference = read(RULE, b"a,b\n1,2\n", {"predictions": [1]}, request_headers={"content-type": "text/csv"})
    assert inference.rows == 1


@pytest.mark.parametrize("target", [V1, V2, "/invocations", "/v1/chat/completions"])
def test_a_protocol_that_is_recognised_is_never_overruled(target):
    claim = Decoders([PayloadRule(paths=("*",), rows="x")]).claim("POST", target, {})
    assert claim is not None and claim.protocol != "payload"


def test_paths_say_which_requests_a_rule_holds_for():
    known = Decoders([
        PayloadRule(paths=("/fraud/*", "/v9/score"), rows="a", for_model="fraud"),
        PayloadRule(paths=("/churn*",), rows="b", for_model="churn"),
    ])  # fmt: skip
    assert known.claim("POST", "/fraud/eu/score?x=1", {}).model == ModelRef("fraud")
    assert known.claim("PUT", "/v9/score", {"content-type": "image/png"}).protocol == "payload"
    assert known.claim("POST", "/churn", {}).model == ModelRef("churn")
    assert known.claim("POST", "/v9/score/more", {"content-type": "application/json"}).protocol == "json"
    assert known.claim("GET", "/churn", {}) is None
    assert table(known.decode(posted("/churn", {"b": [1]}), known.claim("POST", "/churn", {})).features)


def test_without_paths_a_rule_holds_for_json_that_no_protocol_claims():
    known = Decoders([PayloadRule(rows="x")])
    json_ = {"content-type": "application/json"}
    assert known.claim("POST", "/anything", json_).protocol == "payload"
    assert known.claim("POST", "/predictions/m/2", json_).model == ModelRef("m", "2")
    assert known.claim("POST", "/predict", {"content-type": "image/png"}).protocol == "unknown"
    assert known.claim("POST", "/health", json_) is None
    assert Decoders().claim("POST", "/anything", json_).protocol == "json"


def test_two_sets_of_decoders_do_not_share_what_they_remember():
    plain, mapped = Decoders(), Decoders([PayloadRule(rows="x")])
    for _ in range(2):
        assert plain.claim("POST", "/s", {}).protocol == "json"
        assert mapped.claim("POST", "/s", {}).protocol == "payload"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=bodies, answer=bodies)
def test_any_bytes_and_any_json_are_read_or_have_a_reason(request, answer):
    rule = PayloadRule(
        rows="instances || data || @",
        features="names",
        predictions="predictions[]",
        id="id",
        model="model_name",
    )
    check(read(rule, request, answer))


def test_a_hostile_path_costs_no_backtracking():
    known = Decoders([PayloadRule(paths=("/*a*a*a*a*a*b",), rows="x")])
    assert known.claim("POST", "/" + "a" * 60_000, {}).protocol == "json"


def test_jmespath_is_loaded_only_for_an_expression():
    program = "import sys, sidecar.decoders as d; d.Decoders(); print('jmespath' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_ids_that_are_none_are_left_out():
    inference = read(RULE, {**REQUEST, "meta": {"id": {"a": 1}, "model": [1]}}, {"result": [{"score": 1}]})
    assert (inference.request_id, inference.model) == ("", ModelRef())
    assert read(RULE, {**REQUEST, "meta": {"id": "x" * 999}}, ANSWER).request_id == "x" * 256


def test_tensors_on_a_path_of_their_own_may_be_mapped():
    request = {"wrapped": {"inputs": [tensor("x", [2], [1, 2])]}}
    inference = read(PayloadRule(rows="wrapped.inputs[0].data"), request, json.dumps({"y": [1, 2]}).encode())
    assert table(inference.features) == {"input[0]": [1, 2]}
