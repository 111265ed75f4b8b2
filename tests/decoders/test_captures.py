"""Real clients talking to real servers, read as they were meant."""

import json
import math
from typing import Any

import pytest

from sidecar import decoders
from sidecar.inference import Operation, Undecoded
from tests.decoders import captures
from tests.decoders.reading import decode, table

V2_CASES = [
    "mls_iris_flat",
    "mls_iris_pd_columns",
    "mls_pd_mixed_nulls",
    "mls_gzip_response",
    "ks_iris_flat_noid",
]
ROW_CASES = [
    "v1-rest/predict_inputs_key",
    "v1-rest/cloudevent_binary",
    "v1-rest/cloudevent_structured",
    "mlflow/split_index",
    "mlflow/records",
    "mlflow/mixed_records_null",
    "sagemaker/csv",
    "tfs-rest/predict_rows_named",
    "tfs-rest/classify",
    "fastapi/single_object",
]


@pytest.mark.parametrize("case", V2_CASES)
def test_open_inference_captures_are_read_as_the_client_sent_and_the_model_answered_them(case):
    expected = captures.EXPECTED[f"v2-rest/{case}"]
    inference = decode(captures.exchange(f"v2-rest/{case}"))

    assert inference.undecoded is None
    assert inference.model.name == expected["request"]["model"]
    assert inference.model.version == (
        expected["request"]["version"] or expected["response"]["version"] or ""
    )
    assert inference.request_id == (expected["request"]["id"] or expected["response"]["id"])
    assert table(inference.features) == _columns(expected["request"]["tensors"])
    assert table(inference.outputs) == _columns(expected["response"]["tensors"])


@pytest.mark.parametrize("case", ROW_CASES)
def test_row_wise_captures_have_the_rows_and_names_that_were_sent(case):
    expected = captures.EXPECTED[case]
    inference = decode(captures.exchange(case))

    assert inference.undecoded is None
    assert inference.model.name == expected.get("model", "")
    width = len(expected["rows"][0])
    names = expected.get("names") or [f"input[{i}]" for i in range(width)]
    assert [column.name for column in inference.features] == names
    by_column = [column.values for column in inference.features]
    assert [list(row) for row in zip(*by_column, strict=True)] == expected["rows"]
    assert inference.rows == len(expected["rows"])


@pytest.mark.parametrize(
    "case",
    [
        "v1-rest/predict_inputs_key",
        "v1-rest/cloudevent_binary",
        "v1-rest/cloudevent_structured",
        "mlflow/split_index",
        "mlflow/records",
    ],
)
def test_scalar_predictions_of_captures_are_one_output(case):
    inference = decode(captures.exchange(case))
    assert table(inference.outputs) == {"prediction": captures.EXPECTED[case]["predictions"]}


def test_predictions_that_are_objects_are_one_output_per_key_and_a_bare_nan_is_nan():
    outputs = table(decode(captures.exchange("mlflow/mixed_records_null")).outputs)
    assert outputs["label"] == ["lo", "lo"]
    assert outputs["p"][0] == 0.2 and math.isnan(outputs["p"][1])


def test_tensorflow_serving_writes_bare_nan_and_infinity():
    outputs = table(decode(captures.exchange("tfs-rest/predict_rows")).outputs)
    assert outputs["prediction[1]"] == [0.9, math.inf]
    assert outputs["prediction[0]"][0] == 0.1 and math.isnan(outputs["prediction[0]"][1])


def test_the_version_in_a_tensorflow_serving_path_is_the_models():
    inference = decode(captures.exchange("tfs-rest/predict_rows_named"))
    assert (inference.model.name, inference.model.version) == ("m", "3")
    assert table(inference.outputs) == {"scores[0]": [0.1, 0.1], "scores[1]": [0.9, 0.9]}


def test_classify_answers_with_the_best_label_of_each_example():
    outputs = table(decode(captures.exchange("tfs-rest/classify")).outputs)
    assert outputs == {"label": ["setosa", "setosa"], "score": [0.9, 0.9]}


def test_fastapi_and_bentoml_answers_are_found_by_what_they_call_their_predictions():
    single = decode(captures.exchange("fastapi/single_object"))
    assert table(single.outputs) == {"prediction": ["hi"], "probability": [0.9]}
    assert single.model.version == "2.1"
    for case in ("bentoml/dataframe_columns", "bentoml/dataframe_records"):
        inference = decode(captures.exchange(case))
        assert table(inference.features) == {"age": [31, 45], "score": [0.2, 0.9]}
        assert table(inference.outputs) == {"label": ["lo", "hi"]}


def test_sagemaker_csv_has_no_header_and_its_model_and_id_are_in_headers():
    inference = decode(captures.exchange("sagemaker/csv"))
    assert inference.model.name == "iris.tar.gz"
    assert inference.request_id == "inf-1"
    assert table(inference.outputs) == {"prediction[0]": [0.9, 0.2], "prediction[1]": [0.1, 0.8]}


def test_sagemaker_instances_are_unwrapped_to_their_features():
    assert table(decode(captures.exchange("sagemaker/json_instances")).features) == {
        "features[0]": [1.5, 2.0],
        "features[1]": [16.0, 1.0],
    }
    nested = decode(captures.exchange("sagemaker/json_data_features_values"))
    assert table(nested.features) == {"features[0]": [1.5], "features[1]": [16.0], "features[2]": [14.0]}


def test_every_exchange_of_a_pipelined_connection_is_read():
    for number, expected in enumerate(captures.EXPECTED["v2-rest/mls_keepalive_pipelined"]["exchanges"]):
        inference = decode(captures.exchange("v2-rest/mls_keepalive_pipelined", number))
        assert (inference.request_id, inference.model.name) == (expected["id"], expected["model"])


def test_torchserve_answers_a_bare_list_and_names_its_model_in_the_path():
    assert table(decode(captures.exchange("torchserve/kserve_v1")).outputs) == {"prediction": [8.6, 9.1]}
    refused = decode(captures.exchange("torchserve/err_version"))
    assert (refused.model.name, refused.model.version) == ("sum", "9")


def test_ray_serve_says_its_multiplexed_model_in_a_header():
    assert decode(captures.exchange("ray-serve/multiplexed_model")).model.name == "m7"


@pytest.mark.parametrize("case", [case for case in captures.CASES if "/err" in case or "_err_" in case])
def test_a_refused_request_is_never_counted_as_undecoded(case):
    inference = decode(captures.exchange(case))
    assert inference.undecoded is None
    assert inference.outputs == []


@pytest.mark.parametrize(
    "case", ["v1-rest/predict_records", "mlflow/records_ragged", "mlflow/err_missing_col"]
)
def test_the_features_of_a_failed_inference_are_read(case):
    inference = decode(captures.exchange(case))
    assert inference.features and all(len(c.values) == inference.rows for c in inference.features)


def test_an_open_inference_stream_gives_features_and_says_that_its_parts_are_not_read():
    inference = decode(captures.exchange("v2-rest/mls_infer_stream_sse"))
    assert table(inference.features) == {"prompt": ["the quick brown fox"]}
    assert inference.undecoded is Undecoded.STREAM


def test_binary_tensors_are_counted_as_a_content_type_we_do_not_read():
    for case in ("v2-rest-binary/ks_iris_bin_in_json_out", "sagemaker/triton_binary"):
        assert decode(captures.exchange(case)).undecoded is Undecoded.CONTENT_TYPE
    # The answer was JSON: its predictions are not lost with the request.
    assert table(decode(captures.exchange("v2-rest-binary/ks_iris_bin_in_json_out")).outputs) == {
        "output-0": [0, 1]
    }


def test_generative_captures_have_an_operation_a_model_and_are_not_undecoded():
    for case, protocol, operation, model in (
        ("openai-vllm/chat", "openai", Operation.CHAT, "tiny"),
        ("openai-stub/azure_first_chunk", "openai", Operation.CHAT, "my-gpt"),
        ("anthropic/stub_stream_tool_ping_error", "anthropic", Operation.CHAT, "claude-x"),
        ("rerank/tei_rerank", "rerank", Operation.RERANK, ""),
        ("v2-rest/tr_generate_decoupled_stream", "v2", Operation.GENERATE, "tok"),
    ):
        inference = decode(captures.exchange(case))
        assert (inference.protocol, inference.operation, inference.model.name) == (protocol, operation, model)
        assert inference.undecoded is None and inference.error == "" and inference.features == []


def test_pings_versions_and_metadata_are_not_inference():
    kinds = {"mlflow/ping": "probe", "mlflow/version": "metadata", "v2-rest/mls_metadata": "metadata"}
    for case, kind in kinds.items():
        seen = captures.exchange(case)
        assert decoders.claim(seen.method, seen.target, seen.request_headers) is None
        assert decoders.other_kind(seen.method, seen.target) == kind


@pytest.mark.parametrize("case", captures.CASES)
def test_what_explain_says_of_a_capture_is_strict_json(case):
    json.dumps(decoders.explain(captures.exchange(case)), allow_nan=False)


def _columns(tensors: list[dict[str, Any]]) -> dict[str, list[Any]]:
    columns = {}
    for tensor in tensors:
        width = tensor["shape"][1] if len(tensor["shape"]) == 2 else 1
        for i in range(width):
            columns[tensor["name"] if width == 1 else f"{tensor['name']}[{i}]"] = tensor["data"][i::width]
    return columns
