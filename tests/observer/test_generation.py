"""A streamed chat from the relay's chunks to what Prometheus scrapes."""

import json

import pytest

from sidecar.chunk import FROM_SERVER
from sidecar.config import load
from sidecar.exporters.prometheus import render
from sidecar.observer.pipeline import Pipeline
from tests.exporters.filled import own_series
from tests.wire.playbook import Playbook, answer, request, stream_head

MODEL = {"model_name": "tiny", "model_version": "unknown"}
SLOS = "slos: {time_to_first_token: {objective: 95, threshold: 250ms}}"


def piece(*events: object) -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    text = "".join(f"data: {text}\n\n" for text in texts).encode()
    return b"%x\r\n%s\r\n" % (len(text), text)


def delta(finish: str | None = None, **said: object) -> dict:
    return {"id": "c", "model": "tiny", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def asking() -> Playbook:
    asked = json.dumps({"model": "tiny", "messages": [{"content": "secret"}], "stream": True}).encode()
    return Playbook().open().client(request("/v1/chat/completions", asked)).server(stream_head())


class Scraped:
    """What /metrics says after this script."""

    def __init__(self, *scripts: Playbook, settings: str | None = None) -> None:
        pipeline = Pipeline(load(settings, {}, {}))
        for script in scripts:
            for chunk in script.chunks:
                pipeline.observer.feed((chunk,))
        self.text = render(pipeline.registry.snapshot())[0].decode()
        self.series = own_series(self.text)

    def value(self, metric: str, **labels: str) -> float:
        wanted = set(labels.items())
        return sum(
            value for (name, found), value in self.series.items() if name == metric and wanted <= found
        )


def answered(wait: float = 0.2) -> Playbook:
    script = asking()
    script.server(piece(delta(role="assistant", content="")))
    script.wait(wait)
    for _ in range(3):
        script.server(piece(delta(content="secret"))).wait(0.05)
    usage = {"choices": [], "usage": {"prompt_tokens": 35, "completion_tokens": 4}}
    return script.server(piece(delta("stop"), usage, "[DONE]")).server(b"0\r\n\r\n")


def test_a_streamed_chat_has_its_tokens_its_end_and_its_times_on_the_metrics_page():
    scraped = Scraped(answered())
    assert scraped.value("inference_tokens_total", **MODEL, kind="input", source="reported") == 35
    assert scraped.value("inference_tokens_total", **MODEL, kind="output", source="reported") == 4
    assert scraped.value("inference_tokens_total", source="counted") == 0
    assert scraped.value("inference_stream_ends_total", **MODEL, reason="stop") == 1
    assert scraped.value("inference_stream_ends_total") == 1
    generated = {**MODEL, "gen_ai_operation_name": "chat", "gen_ai_response_model": "tiny"}
    # Request, head and role a millisecond apart, then the wait.
    first = scraped.value("gen_ai_server_time_to_first_token_seconds_sum", **generated)
    assert first == pytest.approx(0.203)
    each = scraped.value("gen_ai_server_time_per_output_token_seconds_sum", **generated)
    assert each == pytest.approx(2 * 0.051 / 3)
    assert scraped.value("gen_ai_server_request_duration_seconds_count", **generated) == 1
    assert scraped.value("inference_requests_total", outcome="ok", operation="chat") == 1
    # A stream's duration is no latency.
    assert scraped.value("inference_request_duration_seconds_count") == 0
    assert "secret" not in scraped.text


def test_a_stream_without_its_end_is_truncated_on_every_count():
    script = asking().server(piece(delta(content="a"))).server(b"0\r\n\r\n").end(FROM_SERVER).close()
    scraped = Scraped(script)
    assert scraped.value("inference_requests_total", outcome="truncated", code="200") == 1
    assert scraped.value("inference_stream_ends_total", reason="truncated") == 1
    assert scraped.value("inference_slo_events_total", slo="availability", result="bad") == 1


def test_first_tokens_are_judged_by_their_own_objective(tmp_path):
    file = tmp_path / "sidecar.yaml"
    file.write_text(SLOS)
    unary = json.dumps({"model": "tiny", "choices": []}).encode()
    asked = request("/v1/chat/completions", b'{"model": "tiny"}')
    scripts = (
        answered(0.2),
        answered(0.5),
        asking().close(),
        Playbook().open().client(asked).server(answer(unary)),
    )
    scraped = Scraped(*scripts, settings=str(file))
    of = {"slo": "time_to_first_token", **MODEL}
    assert scraped.value("inference_slo_events_total", **of, result="good") == 1
    assert scraped.value("inference_slo_events_total", **of, result="bad") == 1
    assert scraped.value("inference_slo_objective_ratio", **of) == 0.95
    assert scraped.value("inference_slo_threshold_seconds", **of) == 0.25


def test_vectors_and_scores_are_predictions():
    embedded = {
        "model": "e",
        "data": [{"index": 0, "embedding": [3.0, 4.0]}, {"index": 1, "embedding": [None]}],
    }
    ranked = {"model": "r", "results": [{"index": 0, "relevance_score": 0.5}]}
    scripts = [
        Playbook(n)
        .open()
        .client(request(target, json.dumps(asked).encode()))
        .server(answer(json.dumps(said).encode()))
        for n, (target, asked, said) in enumerate(
            (
                ("/v1/embeddings", {"model": "e", "input": ["a", "b"]}, embedded),
                ("/rerank", {"model": "r", "documents": ["a"]}, ranked),
            )
        )
    ]
    scraped = Scraped(*scripts)
    assert scraped.value("inference_rows_total", model_name="e") == 2
    of = {"model_name": "e", "output": "embedding.norm"}
    assert scraped.value("inference_predictions_total", **of) == 2
    assert scraped.value("inference_predictions_invalid_total", **of) == 1
    assert scraped.value("inference_predictions_total", output="embedding.dimension") == 2
    assert scraped.value("inference_predictions_total", output="score") == 1
