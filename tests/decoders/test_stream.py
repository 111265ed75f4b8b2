from sidecar.decoders import stream
from sidecar.exchange import StreamEvent
from sidecar.inference import Undecoded
from tests.decoders.reading import GENERIC, V2, decode, posted, table, tensor

REQUEST = {"inputs": [tensor("x", [1], [1])]}


def test_a_streamed_answer_gives_features_and_model_and_says_that_predictions_are_not_read():
    events = [StreamEvent(1, b'{"model_name": "m", "model_version": "4", "outputs": []}')]
    inference = decode(posted(V2, REQUEST, streamed=True, events=events))
    assert table(inference.features) == {"x": [1]} and inference.outputs == []
    assert (inference.model.version, inference.undecoded) == ("4", Undecoded.STREAM)


def test_an_error_in_a_stream_is_an_error_and_not_undecoded():
    inference = decode(posted(GENERIC, {"a": 1}, streamed=True, events=[StreamEvent(1, b'{"error": "x"}')]))
    assert inference.error == "error" and inference.undecoded is None


def test_a_stream_without_events_is_read():
    assert decode(posted(V2, REQUEST, streamed=True)).undecoded is Undecoded.STREAM


def test_an_event_too_large_for_an_error_is_not_parsed():
    assert stream.error_in([StreamEvent(1, b'{"error": "' + b"x" * 100_000 + b'"}')]) == ""
