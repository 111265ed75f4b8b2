"""TensorFlow Serving over gRPC: names, tensors by name, examples, results."""

from sidecar.inference import ModelRef, Undecoded
from tests.decoders.grpc_calls import GRPC, TFS, capture, messages, read
from tests.decoders.protobuf_encoder import bytes_field, float_field, framed, packed, varint_field
from tests.decoders.reading import decode, refused, table
from tests.decoders.test_tensorflow_examples import example, integers, listed
from tests.decoders.test_tensorflow_tensor import FLOAT, shape

SPEC = bytes_field(1, "m")


def entry(number: int, name: str, tensor: bytes) -> bytes:
    return bytes_field(number, bytes_field(1, name) + bytes_field(2, tensor))


def classified(label: str, score: float) -> bytes:
    return bytes_field(1, bytes_field(1, bytes_field(1, label) + float_field(2, score)))


ASKED = bytes_field(1, SPEC) + entry(2, "x", FLOAT + shape(2) + packed(5, "float", [1, 2]))
ANSWERED = entry(1, "y", FLOAT + shape(2, 1) + packed(5, "float", [0.5])) + bytes_field(
    2, SPEC + bytes_field(2, varint_field(1, 7))
)


def test_a_prediction_has_its_inputs_outputs_and_the_version_that_answered():
    inference = read(TFS + "Predict", ASKED, ANSWERED)
    assert inference.model == ModelRef("m", "7") and inference.rows == 2
    assert table(inference.features) == {"x": [1.0, 2.0]}
    assert table(inference.outputs) == {"y": [0.5, 0.5]}


def test_the_model_is_said_in_a_message_of_its_own():
    asked = bytes_field(1, SPEC + bytes_field(2, varint_field(1, 3)))
    assert refused(TFS + "Predict", framed(asked), request_headers=GRPC).model == ModelRef("m", "3")
    labelled = bytes_field(1, SPEC + bytes_field(4, "stable"))
    assert read(TFS + "Predict", labelled).model == ModelRef("m", "stable")
    assert read(TFS + "Predict", labelled, ANSWERED).model == ModelRef("m", "7")
    task = bytes_field(1, bytes_field(1, SPEC) + bytes_field(2, "classify"))
    result = bytes_field(1, bytes_field(1, SPEC + bytes_field(2, varint_field(1, 9))))
    assert read(TFS + "MultiInference", task, result).model == ModelRef("m", "9")


def test_a_captured_regression_is_read():
    inference = decode(capture("tfs-grpc/regress"))
    assert inference.model == ModelRef("m") and inference.undecoded is None
    features = table(inference.features)
    assert features["age"] == [31, 45] and features["city"] == ["Bern", "Zug"]
    assert [round(value, 6) for value in features["v[0]"] + features["v[1]"]] == [0.1, 0.1, 0.2, 0.2]
    assert table(inference.outputs) == {"prediction": [1.5, 2.5]}


def test_a_captured_call_of_an_unknown_model_has_its_name():
    assert decode(capture("tfs-grpc/err_not_found")).model.name


def test_a_classification_answers_with_the_best_class():
    asked = bytes_field(1, SPEC) + bytes_field(2, listed(example(age=integers(31))))
    answered = bytes_field(1, classified("a", 0.75)) + bytes_field(2, SPEC)
    inference = read(TFS + "Classify", asked, answered)
    assert table(inference.features) == {"age": [31]}
    assert table(inference.outputs) == {"label": ["a"], "score": [0.75]}


def test_several_results_are_called_after_their_signatures():
    asked = bytes_field(1, bytes_field(1, SPEC)) + bytes_field(2, listed(example(age=integers(31))))

    def result(signature: str, number: int, those: bytes) -> bytes:
        return bytes_field(1, bytes_field(1, SPEC + bytes_field(3, signature)) + bytes_field(number, those))

    classes = result("risk", 2, classified("a", 0.75))
    value = result("price", 3, bytes_field(1, float_field(1, 2.5)))
    outputs = table(read(TFS + "MultiInference", asked, classes + value).outputs)
    assert outputs == {"risk.label": ["a"], "risk.score": [0.75], "price.prediction": [2.5]}
    assert table(read(TFS + "MultiInference", asked, value).outputs) == {"prediction": [2.5]}


def test_an_answer_without_results_is_not_readable():
    examples = bytes_field(2, listed(example(age=integers(31))))
    for method in ("Predict", "Classify", "Regress", "MultiInference"):
        asked = ASKED if method == "Predict" else examples
        inference = read(TFS + method, asked, bytes_field(2, SPEC))
        assert inference.outputs == [] and inference.undecoded in (Undecoded.NO_ROWS, Undecoded.SHAPE)


def test_a_message_cut_at_any_byte_has_a_reason_or_less_to_say():
    case = "tfs-grpc/regress"
    for target, request, reply in (
        (TFS + "Regress", messages(case)[0], messages(case, "resp")[0]),
        (TFS + "Predict", ASKED, ANSWERED),
    ):
        for at in range(len(request)):
            assert read(target, request[:at], reply).undecoded not in (None, Undecoded.INTERNAL)
        for at in range(len(reply)):
            # Field 2 of the answer, the spec, is last: without it the outputs are all there.
            inference = read(target, request, reply[:at])
            assert inference.undecoded is not Undecoded.INTERNAL
            assert len(inference.features) == len(read(target, request, reply).features)
