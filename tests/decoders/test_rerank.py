"""Scores in the order of the documents."""

import pytest

from sidecar.inference import Undecoded
from tests.decoders.reading import read, table
from tests.decoders.streams import generation


def test_scores_are_in_the_order_of_the_documents_and_not_of_the_answer():
    answer = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
              "usage": {"total_tokens": 8}}  # fmt: skip
    inference = read("/v1/rerank", {"model": "m", "query": "q", "documents": ["a", "b"]}, answer)
    assert table(inference.outputs) == {"score": [0.1, 0.9]}
    assert (inference.rows, inference.features) == (2, [])
    assert generation(inference).input_tokens == 8


@pytest.mark.parametrize(
    ("target", "asked", "answer", "scores"),
    [
        ("/rerank", {"texts": ["a"]}, [{"index": 0, "score": 1}], [1.0]),
        ("/v1/score", {"text_1": "q", "text_2": ["a"]}, {"data": [{"index": 0, "score": [0.5]}]}, [0.5]),
        ("/v1/rerank", {"documents": ["a", "b", "c"]}, {"results": [{"index": 2, "score": 0.5}]}, [0.5]),
        ("/v1/rerank", {"documents": ["a"]}, {"results": [{"index": 0}]}, [None]),
    ],
)
def test_scores_by_whatever_name(target, asked, answer, scores):
    inference = read(target, asked, answer)
    assert table(inference.outputs) == {"score": scores}
    assert inference.rows == len(scores)
    assert all(type(score) in (float, type(None)) for score in inference.outputs[0].values)


def test_documents_of_a_refused_request_are_still_rows():
    inference = read("/rerank", {"query": "q", "texts": ["a", "b"]}, {"error": "x"}, status=422)
    assert (inference.rows, inference.outputs, inference.undecoded) == (2, [], None)


def test_an_answer_without_results_cannot_be_read():
    assert read("/rerank", {"texts": ["a"]}, {"what": 1}).undecoded is Undecoded.SHAPE
    assert read("/rerank", {"texts": ["a"]}, {"error": "x"}).error == "error"
