"""Real clients talking to real servers, read as they were meant."""

import json
import math

import pytest

from sidecar import decoders
from sidecar.inference import Operation
from tests.decoders import captures
from tests.decoders.reading import decode, table

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


def test_a_seldon_message_has_names_for_features_and_for_classes():
    expected = captures.EXPECTED["seldon-v1/tensor"]
    inference = decode(captures.exchange("seldon-v1/tensor"))
    assert (inference.protocol, inference.rows, inference.undecoded) == ("seldon", 2, None)
    assert [column.name for column in inference.features] == expected["names"]
    by_column = [column.values for column in inference.features]
    assert [list(row) for row in zip(*by_column, strict=True)] == expected["rows"]
    assert [column.name for column in inference.outputs] == expected["prediction_names"]
    assert [column.values[0] for column in inference.outputs] == pytest.approx(
        [0.726, 0.094, 0.179], abs=1e-3
    )


@pytest.mark.parametrize("case", ["seldon-v1/ndarray_mixed_strings", "seldon-v1/strdata"])
def test_a_seldon_message_that_failed_has_its_features_and_is_not_undecoded(case):
    inference = decode(captures.exchange(case))
    assert inference.features and inference.outputs == [] and inference.undecoded is None


@pytest.mark.parametrize("case", [case for case in captures.CASES if case.startswith("sagemaker/")])
def test_sagemaker_is_told_by_headers_or_by_its_wrapping_and_triton_by_its_tensors(case):
    inference = decode(captures.exchange(case))
    assert inference.protocol == ("v2" if case == "sagemaker/triton_binary" else "sagemaker")


def test_a_container_of_vertex_has_instances_on_a_path_of_its_own():
    inference = decode(captures.exchange("vertex/container_predict"))
    assert table(inference.features) == {"input[0]": [1.0, 3.0], "input[1]": [2.0, 4.0]}
    assert (inference.protocol, table(inference.outputs)) == ("json", {"prediction": [1, 0]})


def test_torchserve_reads_json_in_a_form_and_answers_without_a_content_type():
    inference = decode(captures.exchange("torchserve/predict_multipart"))
    assert (inference.protocol, inference.model.name, inference.undecoded) == ("torchserve", "sum", None)
    assert table(inference.features) == {"data[0]": [5.1, 6.2], "data[1]": [3.5, 2.9]}
    assert table(inference.outputs) == {"prediction": [8.6, 9.1]}


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
