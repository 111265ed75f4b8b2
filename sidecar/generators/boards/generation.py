"""What generating answers takes: how soon they begin, how fast they go on, how they end."""

from sidecar import catalog_generation as catalog
from sidecar.generators.boards.panels import About, Panel, Query, graph
from sidecar.generators.boards.queries import quantile, rate

_QUANTILES = ("0.5", "0.9", "0.99")


def generation() -> list[Panel]:
    """The panels of the row; empty for models that generate nothing. The dashboard about them has more."""
    return [first_token(), ends(), silences()]


def first_token() -> Panel:
    """TTFT."""
    about = About(
        "Time to first token",
        "Last byte of the request to the first part of a streamed answer that has content.",
        "s",
    )
    return graph(about, *(quantile(q, catalog.GEN_AI_TIME_TO_FIRST_TOKEN) for q in _QUANTILES), width=8)


def per_token() -> Panel:
    """TPOT."""
    about = About("Time per output token", "Between two tokens of a streamed answer, after the first.", "s")
    return graph(about, *(quantile(q, catalog.GEN_AI_TIME_PER_OUTPUT_TOKEN) for q in _QUANTILES), width=8)


def duration() -> Panel:
    """From the question to the end of the answer."""
    about = About("Duration of generation", "Last byte of the request to last byte of the answer.", "s")
    return graph(about, *(quantile(q, catalog.GEN_AI_REQUEST_DURATION) for q in _QUANTILES), width=8)


def tokens() -> Panel:
    """Tokens a second."""
    about = About(
        "Tokens",
        "Tokens a second: in, out, and read from a cache; `counted` where the server did not say.",
        "none",
    )
    return graph(about, Query(rate(catalog.TOKENS, "kind", "source"), "{{kind}} {{source}}"), width=8)


def ends() -> Panel:
    """Finish reasons."""
    about = About("Ends of answers", "Answers a second, by how they ended.", "none")
    return graph(
        about, Query(f"{rate(catalog.GENERATION_ENDS, 'reason')} > 0", "{{reason}}"), width=8, stacked=True
    )


def silences() -> Panel:
    """Stalls and empty answers."""
    about = About(
        "Stalls and empty answers",
        "Pauses of more than a second inside a streamed answer, and answers with nothing in them.",
        "none",
    )
    stalls = Query(rate(catalog.STREAM_STALLS, "model_name"), "stalls {{model_name}}")
    empty = Query(rate(catalog.EMPTY_ANSWERS, "model_name"), "empty {{model_name}}")
    return graph(about, stalls, empty, width=8)
