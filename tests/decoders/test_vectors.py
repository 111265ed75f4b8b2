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


@pytest.mark.parametrize(
    "broken", ["no base64!", "AAA", "AAAA", None, [], [[1.0], [2.0]], ["x"], {}, 7, [10**400]]
)
def test_what_is_no_vector_is_a_null(broken):
    assert measured(broken) == ([None], [None])


@pytest.mark.parametrize("answer", [{}, None, "x", {"data": None}, {"embeddings": 7}, {"embeddings": {}}])
def test_an_answer_without_vectors_has_none(answer):
    assert vectors.of_answer(answer) == []
