"""Captured connections of generative servers, cut and timed as they were received."""

import json
import zlib

import pytest

from sidecar import decoders
from sidecar.chunk import FROM_SERVER
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import End, Generation, Inference, Operation
from sidecar.slo import outcome_of, seconds_to_first_token
from tests.decoders import captures
from tests.decoders.reading import decode, table
from tests.decoders.streams import generation
from tests.wire.h2 import Client, Server, reset
from tests.wire.h2 import data as h2_data
from tests.wire.playbook import Playbook, request, stream_head
from tests.wire.test_cases import CASES, replay

POST = {":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}
EVENT_STREAM = {":status": "200", "content-type": "text/event-stream"}
FOLDERS = ("openai-stub", "openai-vllm", "anthropic", "ollama", "tgi", "embeddings", "rerank")
GENERATIVE = sorted(
    f"{folder}/{path.stem}" for folder in FOLDERS for path in (CASES / "wire" / folder).glob("*.request")
)


def seen(case: str) -> Exchange:
    [exchange] = replay(CASES / "wire" / case).exchanges()
    return exchange


def said(case: str) -> Generation:
    return generation(decode(seen(case)))


def first_token_milliseconds(case: str) -> float:
    exchange = seen(case)
    seconds = seconds_to_first_token(exchange, decode(exchange))
    assert seconds is not None
    return round(seconds * 1000, 2)


def test_vllm_with_usage_is_read_as_expected():
    expected = captures.EXPECTED["openai-vllm/chat_stream_usage"]
    found = said("openai-vllm/chat_stream_usage")
    assert found.input_tokens == expected["usage"]["prompt"]
    assert found.output_tokens == expected["usage"]["completion"]
    assert found.ends == [End.LENGTH] and not found.counted
    # Asked at 4.40 ms; the role came at 27.26 and the first word at 35.20, the last at 63.69.
    assert first_token_milliseconds("openai-vllm/chat_stream_usage") == 30.8
    assert found.seconds_per_token == pytest.approx((0.06369 - 0.03520) / 5, abs=1e-6)


def test_a_stream_whose_chunks_cut_events_and_characters_is_read_as_expected():
    expected = captures.EXPECTED["openai-stub/stream_split_inside_utf8_and_event"]
    found = said("openai-stub/stream_split_inside_utf8_and_event")
    assert found.ends == [End(expected["finish_reason"])]
    assert (found.output_tokens, found.counted) == (1, True)
    # Its only content is complete with the chunk at 41.29 ms, asked at 0.78.
    assert first_token_milliseconds("openai-stub/stream_split_inside_utf8_and_event") == 40.51


def test_a_stream_that_ends_short_is_truncated_as_expected():
    assert captures.EXPECTED["openai-stub/stream_truncated_no_done"]["incomplete"]
    exchange = seen("openai-stub/stream_truncated_no_done")
    inference = decode(exchange)
    assert outcome_of(exchange, inference) is Outcome.TRUNCATED
    assert generation(inference).ends == [End.TRUNCATED]
    assert generation(inference).output_tokens == 2


def test_anthropic_is_read_as_expected():
    expected = captures.EXPECTED["anthropic/stub_stream_tool_ping_error"]
    found = said("anthropic/stub_stream_tool_ping_error")
    usage = expected["usage"]
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (
        usage["input"], usage["output"], usage["cache_read"]
    )  # fmt: skip
    assert found.tool_calls == len(expected["tool_calls"])
    assert found.ends == [End.TOOL] and not found.truncated


def test_a_reranker_is_read_as_expected():
    expected = captures.EXPECTED["rerank/tei_rerank"]
    inference = decode(seen("rerank/tei_rerank"))
    assert table(inference.outputs) == {"score": expected["scores_in_input_order"]}
    assert inference.rows == len(expected["documents"])
    vllm = decode(seen("rerank/rerank_v2"))
    assert table(vllm.outputs)["score"] == [-0.17045050859451294, 0.722484290599823]
    assert generation(vllm).input_tokens == 8


@pytest.mark.parametrize(
    ("case", "asked", "answered", "counted", "ends"),
    [
        ("openai-vllm/chat", 35, 8, False, [End.LENGTH]),
        ("openai-vllm/chat_stream", None, 4, True, [End.LENGTH]),
        ("openai-vllm/chat_tool_stream", None, 4, True, [End.STOP]),
        ("openai-vllm/chat_stream_client_abort", None, 3, True, [End.CLIENT_CLOSED]),
        ("openai-vllm/completions", 3, 6, False, [End.LENGTH]),
        ("openai-vllm/completions_stream", None, 5, True, [End.LENGTH]),
        ("openai-stub/azure_first_chunk", None, 1, True, [End.STOP]),
        ("openai-stub/models_with_slash", 1, 1, False, [End.FILTER]),
        ("openai-stub/stream_reasoning", None, 3, True, [End.STOP]),
        ("anthropic/vllm_messages", 26, 6, False, [End.LENGTH]),
        ("ollama/chat_stream", 26, 3, False, [End.STOP]),
        ("ollama/generate_nostream", 26, 3, False, [End.STOP]),
    ],
)
def test_what_captured_answers_took_and_how_they_ended(case, asked, answered, counted, ends):
    found = said(case)
    assert (found.input_tokens, found.output_tokens, found.counted) == (asked, answered, counted)
    assert found.ends == ends and found.empty == 0


def test_pooling_is_one_vector():
    inference = decode(seen("embeddings/pooling"))
    assert inference.operation is Operation.EMBED and inference.rows == 1
    [norm] = table(inference.outputs)["embedding.norm"]
    assert table(inference.outputs)["embedding.dimension"] == [128] and norm == pytest.approx(1.0, abs=1e-3)
    assert generation(inference).input_tokens == 3


@pytest.mark.parametrize("case", GENERATIVE)
def test_a_capture_cut_at_every_byte_is_read_the_same(case):
    def timeless(inference: Inference) -> str:
        found = inference.generation
        if found is not None:
            found.first_token = found.last_token = found.seconds_per_token = None
        return repr(inference)

    whole = replay(CASES / "wire" / case)
    [exchange], [cut] = whole.exchanges(), whole.split().exchanges()
    if decoders.claim(exchange.method, exchange.target, exchange.request_headers) is None:
        return
    assert timeless(decode(cut)) == timeless(decode(exchange))


@pytest.mark.parametrize("case", [case for case in GENERATIVE if "/err" in case])
def test_a_refused_request_generated_nothing(case):
    inference = decode(seen(case))
    assert inference.undecoded is None and inference.error == ""
    assert generation(inference) == Generation()


def chat(stream: bool = True) -> bytes:
    return request("/v1/chat/completions", json.dumps({"model": "m", "stream": stream}).encode())


def data(**choice: object) -> bytes:
    document = {"model": "m", "choices": [{"index": 0, **choice}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def piece(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def test_a_gzipped_stream_flushed_after_each_event_has_the_times_of_each():
    packer = zlib.compressobj(wbits=31)
    script = (
        Playbook().open().client(chat()).server(stream_head("text/event-stream", "content-encoding: gzip"))
    )
    asked = script.now - 0.002
    for text in (
        data(delta={"role": "assistant"}),
        data(delta={"content": "a"}),
        data(delta={"content": "b"}),
    ):
        script.wait(0.099).server(piece(packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)))
    last = data(delta={}, finish_reason="stop") + b"data: [DONE]\n\n"
    script.server(piece(packer.compress(last) + packer.flush()) + b"0\r\n\r\n")
    [exchange] = script.exchanges()
    found = generation(decode(exchange))
    assert found.first_token == pytest.approx(asked + 0.201)
    assert found.seconds_per_token == pytest.approx(0.100)
    assert (found.output_tokens, found.ends, found.truncated) == (2, [End.STOP], False)


def test_of_twenty_thousand_tokens_every_one_is_counted_and_the_usage_is_found():
    script = Playbook().open().client(chat()).server(stream_head())
    for _ in range(20_000):
        script.server(piece(data(delta={"content": "x"})))
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 20_001}}
    without = data(delta={}, finish_reason="length") + b"data: [DONE]\n\n"
    for tail, counted, tokens in (
        (without, True, 20_000),
        (b"data: " + json.dumps(usage).encode() + b"\n\n" + without, False, 20_001),
    ):
        whole = Playbook(1, script.now, script.chunks[:], script.at[:])
        [exchange] = whole.server(piece(tail) + b"0\r\n\r\n").exchanges()
        found = generation(decode(exchange))
        assert (found.output_tokens, found.counted, found.ends) == (tokens, counted, [End.LENGTH])
        assert found.seconds_per_token == pytest.approx(0.001, rel=1e-3)


def test_a_server_that_ends_its_stream_properly_but_too_early_has_truncated_it():
    script = Playbook().open().client(chat()).server(stream_head())
    script.server(piece(data(delta={"content": "a"}))).server(b"0\r\n\r\n").end(FROM_SERVER).close()
    [exchange] = script.exchanges()
    assert exchange.outcome is Outcome.OK
    assert outcome_of(exchange, decode(exchange)) is Outcome.TRUNCATED


@pytest.mark.parametrize("left", [False, True])
def test_over_http2_a_chat_is_measured_the_same(left):
    client, server = Client(), Server()
    script = (
        Playbook().open().client(Client.preface + client.headers(1, POST)).client(h2_data(1, b"{}", end=True))
    )
    script.server(Server.preface + server.headers(1, EVENT_STREAM))
    for _ in range(400):
        script.server(h2_data(1, data(delta={"content": "a"})))
    if left:
        script.client(reset(1))
    else:
        script.server(h2_data(1, data(delta={}, finish_reason="stop") + b"data: [DONE]\n\n", end=True))
    [exchange] = script.exchanges()
    found = generation(decode(exchange))
    assert (found.output_tokens, found.counted) == (400, True)
    assert found.seconds_per_token == pytest.approx(0.001)
    assert found.ends == [End.CLIENT_CLOSED if left else End.STOP]
    assert exchange.left_out.count == (400 if left else 401) - 256 - 64 + (not left)
