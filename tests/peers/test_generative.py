"""The clients of OpenAI and Anthropic, and a server that answers as the references of both say."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, serving
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("generative")
    [port] = free_ports(1)
    upstream = f"127.0.0.1:{port}"
    arguments = [sys.executable, HERE / "servers" / "generative.py", str(port)]
    with (
        serving("generative", arguments, directory, f"http://{upstream}/v1/models"),
        observed(directory, upstream) as sidecar,
    ):
        results = asked("generative", "generative_calls.py", upstream, *sidecar.addresses)
        yield results, sidecar.page(12)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert through["embeddings"]["data"][0]["embedding"] == pytest.approx([0.6, 0.8, 0.0])


def test_every_inference_is_counted_by_operation_model_and_outcome(seen):
    _, page = seen
    assert page.requests() == {
        ("openai", "chat", "200", "ok"): 4,
        ("openai", "chat", "200", "client_closed"): 1,
        ("openai", "chat", "429", "server_error"): 1,
        ("openai", "generate", "200", "ok"): 2,
        ("openai", "embed", "200", "ok"): 2,
        ("anthropic", "chat", "200", "ok"): 2,
    }
    names = {"small": 4, "tools": 1, "writer": 1, "embedder": 2, "haiku": 2}
    assert page.requests("model_name", outcome="ok") == names
    assert page.total("sidecar_other_exchanges_total", kind="metadata") == 1
    assert page.undecoded() == {}


def test_tokens_are_those_reported_and_counted_where_nobody_reports_them(seen):
    _, page = seen
    assert page.by("inference_tokens_total", "kind", "source", model_name="small") == {
        ("input", "reported"): 3 * 7,
        ("output", "reported"): 3 * 4,
        ("output", "counted"): 4,
        ("cached", "reported"): 2,
    }
    assert page.by("inference_tokens_total", "kind", "source", model_name="haiku") == {
        ("input", "reported"): 2 * 9,
        ("output", "reported"): 2 * 4,
        ("cached", "reported"): 2 * 3,
    }


@pytest.mark.parametrize("name", ["time_to_first_token", "time_per_output_token"])
def test_streams_are_timed_by_their_tokens(seen, name):
    _, page = seen
    counted = page.by(f"gen_ai_server_{name}_seconds_count", "model_name")
    # The stream that was left has no model to stand for: nothing of that name ever ended well.
    counted.pop("__other__", None)
    assert counted == {"small": 3, "tools": 1, "haiku": 1}


def test_the_model_that_answered_is_told_from_the_one_that_was_asked(seen):
    _, page = seen
    labels = (
        "gen_ai_operation_name",
        "gen_ai_provider_name",
        "gen_ai_request_model",
        "gen_ai_response_model",
    )
    assert page.by("gen_ai_server_request_duration_seconds_count", *labels, error_type="") == {
        ("chat", "openai", "small", "small-2"): 3,
        ("chat", "openai", "tools", "small-2"): 1,
        ("text_completion", "openai", "small", "small"): 1,
        ("text_completion", "openai", "writer", "writer"): 1,
        ("embeddings", "openai", "embedder", "embedder-1"): 2,
        ("chat", "anthropic", "haiku", "haiku-9"): 2,
    }


def test_answers_end_as_the_server_says(seen):
    _, page = seen
    streams = page.by("inference_stream_ends_total", "model_name", "reason")
    assert streams == {
        ("small", "length"): 2,
        ("small", "stop"): 1,
        ("tools", "tool"): 1,
        ("haiku", "length"): 1,
        ("__other__", "client_closed"): 1,
    }
    every = page.by("inference_generation_ends_total", "model_name", "reason")
    assert every == {**streams, ("small", "stop"): 2, ("haiku", "stop"): 1, ("writer", "stop"): 2}


def test_a_call_of_a_tool_is_counted_and_is_no_empty_answer(seen):
    _, page = seen
    assert page.by("inference_tool_calls_total", "model_name") == {"tools": 1}
    assert page.total("inference_empty_answers_total") == 0


def test_embeddings_are_measured_in_base64_and_as_numbers(seen):
    _, page = seen
    assert page.by("inference_rows_total", "model_name") == {"embedder": 3}
    counted = page.by("inference_predictions_total", "output", model_name="embedder")
    assert counted == {"embedding.norm": 3, "embedding.dimension": 3}
