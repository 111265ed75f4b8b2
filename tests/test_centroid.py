"""Cosines of vectors to the centroid of the first of them."""

import numpy as np
import pytest

from sidecar.centroid import MAX_CENTROIDS, MAX_DIMENSIONS, TEACHING, Centroid, Centroids
from sidecar.inference import Column
from sidecar.reference import ColumnProfile, ColumnType, Reference


def vectors(rows, seed=0, dimensions=16):
    around = np.random.default_rng(99).normal(size=dimensions)
    return around + np.random.default_rng(seed).normal(size=(rows, dimensions))


def learnt(dimensions=16):
    centroid = Centroid()
    centroid.learn(vectors(TEACHING, dimensions=dimensions))
    return centroid


def embedded(rows, name="embedding", dimensions=16):
    found = vectors(rows, dimensions=dimensions)
    return Column(f"{name}.norm", np.linalg.norm(found, axis=1), found)


def test_nothing_is_compared_until_enough_vectors_were_seen():
    centroid = Centroid()
    centroid.learn(vectors(TEACHING - 1))
    assert centroid.cosines(vectors(1)) is None
    assert centroid.known == b""
    centroid.learn(vectors(1))
    assert len(centroid.known) == 4 * 16
    assert centroid.cosines(vectors(1)) is not None


def test_the_centroid_is_the_direction_of_the_mean_of_unit_vectors():
    taught = vectors(TEACHING) * np.random.default_rng(1).uniform(0.01, 100, (TEACHING, 1))
    centroid = Centroid()
    centroid.learn(taught)
    mean = (taught / np.linalg.norm(taught, axis=1, keepdims=True)).mean(axis=0)
    direction = mean / np.linalg.norm(mean)
    assert np.frombuffer(centroid.known, "<f4") == pytest.approx(direction, abs=1e-6)
    assert centroid.cosines(np.array([7 * direction, -direction])).tolist() == [1.0, -1.0]


def test_once_learnt_it_stays_as_it_is():
    centroid = learnt()
    before = centroid.known
    centroid.learn(-vectors(5_000))
    assert centroid.known == before


def test_what_is_no_direction_has_no_cosine_and_teaches_nothing():
    odd = np.array([np.zeros(16), np.full(16, np.nan), np.full(16, np.inf), np.full(16, 1e300)])
    cosines = learnt().cosines(odd)
    assert cosines[0] == 0
    assert np.isnan(cosines[1:]).all()
    centroid = Centroid()
    for _ in range(TEACHING):
        centroid.learn(odd[1:])
    assert centroid.known == b""
    centroid.learn(vectors(TEACHING))
    assert centroid.known == learnt().known


def test_halves_and_another_dimension():
    centroid = learnt()
    assert centroid.cosines(vectors(3).astype(np.float16)) == pytest.approx(
        centroid.cosines(vectors(3)), abs=2e-3
    )
    assert centroid.cosines(vectors(3, dimensions=8)) is None
    centroid = Centroid()
    centroid.learn(vectors(1))
    centroid.learn(vectors(TEACHING, dimensions=8))
    assert centroid.known == b""


def test_outputs_have_cosines_once_they_taught():
    centroids = Centroids()
    assert [c.name for c in centroids.compared([embedded(TEACHING)])] == ["embedding.norm"]
    found = centroids.compared([embedded(3), Column("x.norm", [1.0, 2.0, 3.0])])
    assert [c.name for c in found] == ["embedding.norm", "x.norm", "embedding.cosine"]
    assert len(found[-1].values) == 3
    assert found[-1].vectors is None


def test_what_a_model_calls_so_itself_has_precedence():
    centroids = Centroids()
    own = Column("embedding.cosine", [0.5] * TEACHING)
    outputs = [embedded(TEACHING), own]
    assert centroids.compared(outputs) == outputs
    assert centroids.known("embedding.cosine") == b""


def test_at_most_so_many_outputs_have_one():
    centroids = Centroids()
    outputs = [embedded(TEACHING, f"e{i}") for i in range(MAX_CENTROIDS + 2)]
    centroids.compared(outputs)
    assert len(centroids.compared(outputs)) == len(outputs) + MAX_CENTROIDS


def test_a_reference_brings_its_own_and_none_is_learnt_beside_it():
    known = learnt().known
    profile = ColumnProfile("embedding.cosine", ColumnType.NUMBER, 9, centroid=known)
    centroids = Centroids()
    centroids.use(Reference(9, {}, {"embedding.cosine": profile}))
    found = centroids.compared([embedded(3), embedded(TEACHING, "other")])
    assert [c.name for c in found] == ["embedding.norm", "other.norm", "embedding.cosine"]
    assert len(centroids.compared([embedded(3, "other")])) == 1
    assert centroids.known("embedding.cosine") == known


def test_the_largest_that_is_compared_fits_into_a_reference():
    assert len(learnt(MAX_DIMENSIONS).known) == 4 * MAX_DIMENSIONS
