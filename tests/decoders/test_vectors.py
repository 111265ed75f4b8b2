"""Norms and dimensions of embeddings."""

import base64
import math
import struct

import pytest

from sidecar.decoders import vectors
from sidecar.inference import Inference
from tests.decoders.reading import table


def measured(*found: object) -> tuple[list, list]:
    inference = Inference("openai")
    vectors.fill_outputs(inference, list(found))
    columns = table(inference.outputs)
    return columns[vectors.NORM], columns[vectors.DIMENSION]


def test_a_vector_is_its_norm_and_its_dimension():
    assert measured([3, 4], [0.0, 0.0, 0.0]) == ([5.0, 0.0], [2, 3])


def test_base64_holds_little_endian_floats_of_32_bits():
    packed = base64.b64encode(struct.pack("<3f", 2.0, 3.0, 6.0)).decode()
    assert measured(packed) == ([7.0], [3])


def test_normalised_vectors_have_one_norm_whatever_they_were_rounded_to():
    for factor in (1.0, 0.9998, 1.0003, 1.0000001):
        assert measured([0.6 * factor, 0.8 * factor]) == ([1.0], [2])
    assert measured([0.6, 0.9])[0] == [1.08]


def test_what_is_no_number_shows():
    packed = base64.b64encode(struct.pack("<2f", math.nan, 1.0)).decode()
    norms, dimensions = measured(packed, [math.inf, 1.0])
    assert math.isnan(norms[0]) and norms[1] == math.inf and dimensions == [2, 2]


def test_a_vector_that_is_missing_is_a_null_and_so_an_invalid_prediction():
    assert measured([3, 4], None) == ([5.0, None], [2, None])
    [norm], [dimension] = measured([None, 4.0])
    assert math.isnan(norm) and dimension == 2


@pytest.mark.parametrize(
    "other",
    [[[1.0], [2.0]], [{"index": 1, "value": 0.5}], "AAA", "AAAA", "no base64!", [], ["x"], {}, 7, [10**400]],
)
def test_of_vectors_of_another_kind_nothing_is_claimed(other):
    inference = Inference("tgi")
    vectors.fill_outputs(inference, [[1.0], other])
    assert (inference.rows, inference.outputs) == (2, [])


@pytest.mark.parametrize("answer", [{}, None, "x", {"data": None}, {"embeddings": 7}, {"embeddings": {}}])
def test_an_answer_without_vectors_has_none(answer):
    assert vectors.of_answer(answer) == []


def test_vectors_of_one_dimension_go_with_their_norms_as_long_as_somebody_looks():
    def together(*found: object):
        inference = Inference("openai")
        vectors.fill_outputs(inference, list(found))
        norm, dimension = inference.outputs
        assert dimension.vectors is None
        return norm.vectors

    assert together([3, 4], [1, 0]).tolist() == [[3, 4], [1, 0]]
    assert together([3, 4], [1, 0, 0]) is None
    assert together([3, 4], None) is None
    assert together(None) is None
    assert together([1.0] * 4_096).shape == (1, 4_096)
    assert together([1.0] * 4_097) is None
