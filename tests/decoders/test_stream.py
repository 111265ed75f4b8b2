import json

from sidecar.decoders import stream
from sidecar.exchange import StreamEvent
from sidecar.inference import MISSING, Undecoded
from tests.decoders.reading import GENERIC, V2, decode, posted, table, tensor

REQUEST = {"inputs": [tensor("x", [1], [1])]}


def test_a_streamed_answer_without_outputs_gives_features_and_model_and_says_that_there_are_none():
    events = [StreamEvent(1, b'{"model_name": "m", "model_version": "4", "outputs": []}')]
    inference = decode(posted(V2, REQUEST, streamed=True, events=events))
    assert table(inference.features) == {"x": [1]} and inference.outputs == []
    assert (inference.model.version, inference.undecoded) == ("4", Undecoded.STREAM)


def test_an_error_in_a_stream_is_an_error_and_not_undecoded():
    inference = decode(posted(GENERIC, {"a": 1}, streamed=True, events=[StreamEvent(1, b'{"error": "x"}')]))
    assert inference.error == "error" and inference.undecoded is None


def test_a_stream_without_events_is_no_prediction():
    assert decode(posted(V2, REQUEST, streamed=True)).undecoded is Undecoded.STREAM


def test_an_event_too_large_for_an_error_is_not_parsed():
    assert stream.error_in([StreamEvent(1, b'{"error": "' + b"x" * 100_000 + b'"}')]) == ""


def part(*outputs, **more):
    return StreamEvent(1, json.dumps({"model_name": "m", "outputs": list(outputs), **more}).encode())


def streamed(*events):
    return decode(posted(V2 + "_stream", REQUEST, streamed=True, events=list(events)))


def test_the_outputs_of_all_parts_are_rows_below_one_another():
    inference = streamed(
        part(tensor("p", [2, 2], [0.1, 0.9, 1, 0])), part(tensor("p", [1, 2], [0.5, 0.5])), part()
    )
    assert table(inference.outputs) == {"p[0]": [0.1, 1.0, 0.5], "p[1]": [0.9, 0.0, 0.5]}
    assert [type(value) for value in inference.outputs[0].values] == [float] * 3
    assert inference.decoupled and inference.undecoded is None and inference.rows == 1


def test_an_output_that_a_part_does_not_have_is_missing_in_its_rows():
    inference = streamed(part(tensor("a", [1], [1.5])), part(tensor("b", [1], [2.5])))
    assert table(inference.outputs) == {"a": [1.5, MISSING], "b": [MISSING, 2.5]}


def test_a_part_that_cannot_be_read_costs_no_other():
    broken = [StreamEvent(1, b"[DONE]"), StreamEvent(1, b'{"outputs": [{"shape": 1}]}'), StreamEvent(1, b"{")]
    assert table(streamed(*broken, part(tensor("p", [1], [7.0])), *broken).outputs) == {"p": [7.0]}
    assert streamed(*broken).undecoded is Undecoded.STREAM


def test_an_error_after_some_parts_is_an_error_and_its_outputs_are_not_counted():
    inference = streamed(part(tensor("p", [1], [7.0])), StreamEvent(2, b'{"error": "x"}'))
    assert inference.error == "error" and inference.outputs == [] and inference.undecoded is None


def test_a_stream_of_more_rows_than_anybody_looks_at_has_a_reason():
    large = part(tensor("p", [60_000], [0.5] * 60_000))
    assert streamed(large, large).undecoded is Undecoded.TOO_MANY_ROWS


def test_a_streamed_generation_has_no_outputs():
    seen = posted(
        "/v2/models/m/generate_stream",
        {"text_input": "x"},
        streamed=True,
        events=[part(tensor("p", [1], [1]))],
    )
    assert decode(seen).outputs == [] and decode(seen).undecoded is None
