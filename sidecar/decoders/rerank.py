"""Rerankers and scorers: Cohere, Jina, vLLM, TEI. The scores are an output, in the order of the documents.

Source: docs.cohere.com/reference/rerank; huggingface.co/docs/text-embeddings-inference; captures of vLLM.
The trap: results are sorted by score, and `top_n` leaves some out.
"""

from typing import Any

from sidecar.decoders import body, columns
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.generation import Generative, member, objects, path, rows_of
from sidecar.decoders.tally import Tally
from sidecar.inference import Column, Inference, Operation, Undecoded

_SCORES = ("relevance_score", "score")


class Rerank(Generative):
    """Rerank and score."""

    name = "rerank"
    paths = ((path("rerank"), Operation.RERANK), (path("v1/score"), Operation.RERANK))

    def on_request(self, document: dict[str, Any], inference: Inference) -> None:
        """How many documents there are to be ranked, or pairs to be scored."""
        documents = document.get("documents", document.get("texts"))
        if documents is None:
            documents = document.get("text_2", document.get("data_2"))
        inference.rows = rows_of(documents)

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """Scores by the index of their document, and usage."""
        told.fail(body.error_of(document, "results", "data"))
        results = document
        if type(document) is dict:
            results = document.get("results", document.get("data"))
            _use(document, told)
        if type(results) is not list:
            if not told.error_kind:
                raise Undecodable(Undecoded.SHAPE, "the answer has no list of results")
            return
        columns.check_rows(len(results))
        found = sorted(objects(results), key=_index)
        scores = [_score(result) for result in found]
        # Of documents that were not among the best nothing is known: the rows are those with a score.
        inference.rows = len(scores) or inference.rows
        if scores:
            inference.outputs = [Column("score", scores)]


def _index(result: dict[str, Any]) -> int:
    index = result.get("index")
    return index if type(index) is int else 0


def _score(result: dict[str, Any]) -> Any:
    """A float, also where it was written as a whole number; anything else as it is."""
    score = next((result[key] for key in _SCORES if key in result), None)
    if type(score) is list and len(score) == 1:
        score = score[0]
    return float(score) if type(score) is int and abs(score) < 2**53 else score


def _use(document: dict[str, Any], told: Tally) -> None:
    usage = document.get("usage")
    asked = member(usage, "prompt_tokens")
    told.use(member(usage, "total_tokens") if asked is None else asked)
    told.use(member(document, "meta", "tokens", "input_tokens"))
