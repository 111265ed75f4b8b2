import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import decoders
from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.inference import Inference
from sidecar.ingest.events import Role, read
from sidecar.ingest.logged import exchange_of, json_end
from tests.ingest import events

V1 = ({"instances": [[5.1, 3.5]]}, {"predictions": [0]})
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [5.1, 3.5]}
V2 = ({"inputs": [TENSOR]}, {"model_name": "m", "outputs": [{**TENSOR, "name": "y"}]})


def joined(request: object, response: object, **more: str) -> Exchange:
    return exchange_of(
        events.event("request", request, **more), events.event("response", response, **more), "r", 100.0
    )


def meant(exchange: Exchange) -> Inference:
    claim = decoders.claim(exchange.method, exchange.target, exchange.request_headers)
    assert claim is not None
    return decoders.decode(exchange, claim)


@pytest.mark.parametrize(("bodies", "protocol"), [(V1, "v1"), (V2, "v2")])
def test_an_exchange_without_a_path_is_read_by_the_shape_of_its_bodies(bodies, protocol):
    inference = meant(joined(*bodies))
    assert (inference.protocol, inference.undecoded, inference.rows) == (protocol, None, 1)
    assert len(inference.features) == 2
    assert inference.outputs
    assert (inference.model.name, inference.request_id) == ("iris", "1")


def test_the_node_names_the_model_where_there_is_one():
    more = {"source": "seldon", "requestid": "p", "modelid": "classifier", "endpoint": "canary"}
    inference = meant(
        joined({"data": {"names": ["a"], "ndarray": [[1]]}}, {"data": {"ndarray": [[0.5]]}}, **more)
    )
    assert (inference.model.name, inference.model.version) == ("classifier", "canary")
    assert [(column.name, list(column.values)) for column in inference.features] == [("a", [1])]


def test_seldons_captured_request_is_read():
    (request,) = read(*events.captured("seldon-logger/request"))
    exchange = exchange_of(request, None, "r", 100.0)
    inference = meant(exchange)
    assert exchange.outcome is Outcome.UNOBSERVED
    assert (inference.model.name, inference.rows) == ("classifier", 1)


def test_kserves_captured_gzip_is_read_whether_or_not_it_says_so():
    headers, body = events.captured("kserve-logger/request_gzip")
    for fields in (headers, {k: v for k, v in headers.items() if k != "content-encoding"}):
        (request,) = read(fields, body)
        exchange = exchange_of(request, None, "r", 100.0)
        assert meant(exchange).rows == 1
        assert exchange.request.size == 42


def test_where_the_json_before_raw_tensors_ends_is_found_without_its_field():
    (response,) = read(*events.captured("kserve-logger/response_v2_binary"))
    assert response is not None
    end = json_end(response.data)
    assert end == len(response.data) - 6
    exchange = exchange_of(None, response, "r", 100.0)
    assert exchange.response_headers["inference-header-content-length"] == str(end)
    assert exchange.target == "/v2/models/iris/infer"


@pytest.mark.parametrize(
    "data", [b"{}", b'{"a": "binary_data_size"}', b'{"binary_data_size": 1}', b'\xff"binary_data_size"', b""]
)
def test_where_no_raw_tensors_follow_there_is_no_end(data):
    assert json_end(data) is None


@given(st.binary(max_size=40), st.text(max_size=5))
def test_the_end_is_right_whatever_follows_and_whatever_is_in_the_json(tail, text):
    head = json.dumps({"id": text, "parameters": {"binary_data_size": 1}}, ensure_ascii=False).encode()
    assert json_end(head + b"\0" + tail) == len(head)


def test_no_event_says_how_long_anything_took_so_nothing_does():
    timings = joined(*V1).timings
    assert timings.duration is None
    assert timings.time_to_first_byte is None


def test_an_answer_that_was_logged_was_a_success_and_none_is_not_known_to_be_anything():
    assert joined(*V1).code == "200"
    alone = exchange_of(events.event("request", V1[0]), None, "r", 100.0)
    assert (alone.outcome, alone.code) == (Outcome.UNOBSERVED, "")
    assert meant(alone).rows == 1


def test_an_answer_alone_gives_its_outputs_and_says_that_the_request_is_missing():
    exchange = exchange_of(None, events.event("response", V1[1]), "r", 100.0)
    inference = meant(exchange)
    assert exchange.request.problem is BodyProblem.GAP
    assert (inference.undecoded, inference.protocol) == ("body_gap", "v1")
    assert inference.outputs


CHAT = (
    b'data: {"id":"c","model":"llama","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    b'data: {"id":"c","model":"llama","choices":[{"index":0,"delta":{"content":"!"}}]}\n\n'
)


@pytest.mark.parametrize(("end", "truncated"), [(b"data: [DONE]\n\n", False), (b"", True)])
def test_a_logged_stream_is_read_but_no_times_of_it_are_known(end, truncated):
    exchange = joined({"model": "llama", "messages": []}, CHAT + end)
    assert exchange.streamed
    assert exchange.response_headers["content-type"] == "text/event-stream"
    inference = meant(exchange)
    assert (inference.operation, inference.model.name) == ("chat", "llama")
    generation = inference.generation
    assert generation is not None
    assert generation.truncated is truncated
    assert generation.output_tokens == 2
    assert generation.first_token is generation.seconds_per_token is None
    assert generation.stalls == 0


@pytest.mark.parametrize("name", ["a/b", "../x", "a b?c", "ü"])
def test_the_name_of_a_service_survives_the_path(name):
    from urllib.parse import quote

    assert meant(joined(*V1, inferenceservicename=quote(name))).model.name == name


def test_data_that_is_no_json_keeps_the_type_it_was_logged_with():
    headers, _ = events.logged("request", b"")
    (request,) = read({**headers, "content-type": "text/csv"}, b"a,b\n1,2\n")
    assert exchange_of(request, None, "r", 0.0).request_headers["content-type"] == "text/csv"


def test_a_bomb_is_not_let_off():
    exchange = joined(gzip.compress(bytes(50_000_000)), {})
    assert exchange.request.problem is BodyProblem.EXPANDS_TOO_MUCH


@given(st.sampled_from(list(Role)[:2]), st.binary(max_size=100), st.text(max_size=8), st.text(max_size=8))
def test_any_half_makes_an_exchange_that_decodes_or_says_why_not(role, data, protocol, model):
    half = events.event(role.value, data)
    half.protocol, half.model = protocol, model
    pair = (half, None) if role is Role.REQUEST else (None, half)
    exchange = exchange_of(*pair, "r", 1.0)
    claim = decoders.claim(exchange.method, exchange.target, exchange.request_headers)
    if claim is not None:
        decoders.decode(exchange, claim)
