"""Models that generate: how long until they speak, how fast, how much, and how their answers end."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog_generation as catalog
from sidecar.catalog import IN_FLIGHT, REQUESTS
from sidecar.generators.boards import generation
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import (
    AMBER,
    BURNING,
    GREEN,
    PLAIN,
    RED,
    About,
    Panel,
    Query,
    graph,
    number,
)
from sidecar.generators.boards.queries import (
    BAD_OUTCOMES,
    MODEL,
    burn,
    busy,
    gauge,
    quantile,
    quantile_of,
    rate,
    share_or_none,
)
from sidecar.generators.links import GENERATION_UID, Links

_ABOUT = "Generative models: time to first token, time per token, tokens, how answers end, stalls."
_GENERATING = 'operation=~"chat|generate"'
_NAME = "{{model_name}}"


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    rows = {
        "Now": _numbers(links),
        "Speed": [
            generation.first_token(),
            generation.per_token(),
            generation.duration(),
            _by_model(),
            _asked(),
            _waiting(),
        ],
        "Tokens": [generation.tokens(), _tokens_of_model(), _per_answer()],
        "Answers": [
            generation.ends(),
            _failed(),
            generation.silences(),
            _stream_ends(),
        ],
    }
    return many_models(frame(GENERATION_UID, "LLM", _ABOUT, links, rows))


def _numbers(links: Links) -> list[Panel]:
    """The strip."""
    first, per = catalog.GEN_AI_TIME_TO_FIRST_TOKEN, catalog.GEN_AI_TIME_PER_OUTPUT_TOKEN
    burning = About(
        "First token burn",
        "How many times faster than allowed the budget for slow first tokens is spent; the worst three.",
        "none",
        links.runbook("InferenceTimeToFirstTokenBurn"),
    )
    failed = About(
        "Answers cut or failed",
        "Share that the server refused, cut short or ended with an error.",
        "percentunit",
    )
    return [
        number(burning, Query(f"topk(3, {burn('time_to_first_token')} >= 0)", _NAME), width=4,
               steps=BURNING, otherwise="no objective"),
        _speed("First token p50", quantile_of("0.5", first)),
        _speed("First token p99", quantile_of("0.99", first)),
        _speed("Per token p50", quantile_of("0.5", per)),
        number(About("Tokens out", "Tokens a second that all models give.", "none"),
               Query(rate(catalog.TOKENS, where='kind="output"'), "tokens/s"), width=4, steps=PLAIN,
               otherwise="no tokens"),
        number(failed, Query(_failing(), "answers"), width=4,
               steps=((None, GREEN), (0.001, AMBER), (0.01, RED)), otherwise="no answers"),
    ]  # fmt: skip


def _failing() -> str:
    """Of requests, not of answers: one that was refused has no answer that could end."""
    return share_or_none(REQUESTS, BAD_OUTCOMES).replace(MODEL, f"{MODEL},{_GENERATING}")


def _speed(title: str, expr: str) -> Panel:
    about = About(title, "Of streamed answers, over all models.", "s")
    return number(about, Query(expr, "time"), width=4, steps=PLAIN, otherwise="no streams")


def _by_model() -> Panel:
    about = About("First token by model, p99", "Which model is slow to begin.", "s")
    return graph(about, quantile("0.99", catalog.GEN_AI_TIME_TO_FIRST_TOKEN, "model_name"), width=8)


def _tokens_of_model() -> Panel:
    about = About("Tokens out by model", "Tokens a second that each model gives.", "none")
    query = Query(rate(catalog.TOKENS, "model_name", where='kind="output"'), _NAME)
    return graph(about, query, width=8, stacked=True)


def _per_answer() -> Panel:
    about = About(
        "Tokens per answer", "Mean length of answers: a change is often a change of behaviour.", "none"
    )
    tokens = rate(catalog.TOKENS, "model_name", where='kind="output"')
    return graph(about, Query(f"{tokens} / {rate(catalog.GENERATION_ENDS, 'model_name')}", _NAME), width=8)


def _failed() -> Panel:
    about = About(
        "Answers that did not end well",
        "Share by how they ended: an error, cut by the server, left by the client, too long, filtered.",
        "percentunit",
    )
    ends = rate(catalog.GENERATION_ENDS, "reason", where='reason!~"stop|tool"')
    shares = f"{ends} / scalar({rate(catalog.GENERATION_ENDS)})"
    return graph(about, Query(busy(shares, "reason"), "{{reason}}"), width=8)


def _stream_ends() -> Panel:
    about = About("Ends of streams", "Streamed answers a second, by how they ended.", "none")
    return graph(
        about, Query(f"{rate(catalog.STREAM_ENDS, 'reason')} > 0", "{{reason}}"), width=8, stacked=True
    )


def _asked() -> Panel:
    about = About("Exchanges by operation", "What callers ask for, and how it ends.", "reqps")
    return graph(about, Query(rate(REQUESTS, "operation", "outcome"), "{{operation}} {{outcome}}"), width=8)


def _waiting() -> Panel:
    about = About("Answers under way", "Exchanges begun and not ended: a queue shows here first.", "none")
    return graph(about, Query(gauge(IN_FLIGHT, "model_name", how="sum"), _NAME), width=8)
