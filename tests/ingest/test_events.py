import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.ingest.events import MAX_BATCH, Event, Malformed, Role, read
from tests.ingest import events


def one(headers: dict[str, str], body: bytes) -> Event:
    (found,) = read(headers, body)
    assert found is not None
    return found


def test_kserves_logger_names_the_service_and_joins_by_the_id():
    event = one(*events.captured("kserve-logger/request_gzip"))
    assert (event.source, event.role, event.id) == ("kserve", Role.REQUEST, "0f3f5f6a-1")
    assert (event.namespace, event.service, event.component) == ("default", "iris", "predictor")
    assert (event.content_type, event.coding) == ("application/json", "gzip")
    assert json.loads(gzip.decompress(event.data)) == {"instances": [[1, 2]]}
    assert one(*events.captured("kserve-logger/response_v2_binary")).key == event.key


def test_seldons_logger_names_the_node_and_joins_by_the_request_id():
    event = one(*events.captured("seldon-logger/request"))
    assert (event.source, event.role, event.id) == ("seldon", Role.REQUEST, "puid-1")
    assert (event.service, event.endpoint, event.model) == ("mydep", "default", "classifier")
    assert event.protocol == "seldon"


def test_nodes_of_a_graph_log_under_one_id_and_are_kept_apart():
    asked = [
        one(*events.logged("request", {}, source="seldon", requestid="p", modelid=node)).key
        for node in ("scaler", "classifier")
    ]
    assert asked[0] != asked[1]


@pytest.mark.parametrize(
    ("kind", "source", "role"),
    [
        ("io.seldon.serving.feedback", "seldon", Role.FEEDBACK),
        ("com.example.inference.response", "other", Role.RESPONSE),
        ("org.kubeflow.serving.heartbeat", "kserve", Role.OTHER),
    ],
)
def test_the_type_says_what_an_event_is(kind, source, role):
    event = one({"ce-type": kind, "ce-id": "1"}, b"{}")
    assert (event.source, event.role) == (source, role)


def structured(**members: object) -> bytes:
    known = {"specversion": "1.0", "type": "org.kubeflow.serving.inference.request", "id": "1"}
    return json.dumps(known | members).encode()


STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({"data": {"instances": [1]}}, b'{"instances":[1]}'),
        ({"data": '{"instances": [1]}'}, b'{"instances": [1]}'),
        ({"data": "a,b\n1,2", "datacontenttype": "text/csv"}, b"a,b\n1,2"),
        ({"data": "word"}, b'"word"'),
        ({"data_base64": base64.b64encode(b"\0\1").decode()}, b"\0\1"),
        ({}, b""),
    ],
)
def test_a_structured_event_holds_its_data_as_a_document_as_text_or_in_base64(members, data):
    assert one(STRUCTURED, structured(**members)).data == data


def test_a_structured_event_may_hold_the_nan_that_model_servers_send():
    body = structured(data=[float("nan")])
    assert one(STRUCTURED, body).data == b"[NaN]"


def test_a_batch_holds_many_and_a_bad_one_does_not_cost_the_others():
    body = b"[%s, {}, 3, %s]" % (structured(), structured(id="2"))
    found = read(BATCH, body)
    assert [event and event.id for event in found] == ["1", None, None, "2"]


def test_attributes_in_fields_are_percent_decoded():
    headers, body = events.logged("request", {}, inferenceservicename="caf%C3%A9%20noir")
    assert one(headers, body).service == "café noir"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"ce-type": "a"}, b""),
        ({"ce-id": "1"}, b""),
        (STRUCTURED, b"{"),
        (STRUCTURED, b"[]"),
        (STRUCTURED, b"[" * 100_000),
        (STRUCTURED, structured(id=1)),
        (STRUCTURED, structured(data_base64="?")),
        (BATCH, structured()),
        (BATCH, json.dumps([{}] * (MAX_BATCH + 1)).encode()),
    ],
)
def test_what_is_no_event_is_refused(headers, body):
    with pytest.raises(Malformed):
        read(headers, body)


def test_attributes_are_kept_up_to_a_length_nobody_needs():
    headers, body = events.logged("request", {}, id="x" * 10_000, inferenceservicename="y" * 10_000)
    assert sum(map(len, one(headers, body).key)) < 1_000


@given(
    st.sampled_from([STRUCTURED, BATCH, {"ce-id": "1", "ce-type": "inference.request"}]),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.floats() | st.text(max_size=3),
        lambda s: (
            st.dictionaries(st.sampled_from(["type", "id", "data", "data_base64", "requestid"]), s)
            | st.lists(s, max_size=3)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_message_is_events_or_malformed(headers, body):
    try:
        found = read(headers, body)
    except Malformed:
        return
    assert all(event is None or event.key for event in found)
