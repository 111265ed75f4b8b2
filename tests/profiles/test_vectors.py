"""Embeddings in a table: a reference made of it judges cosines, and says of vectors what traffic says."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.binning import Binning
from sidecar.centroid import MAX_CENTROIDS, TEACHING, Centroid, Centroids
from sidecar.decoders import summaries, vectors
from sidecar.inference import Column, Inference
from sidecar.profiles.build import ColumnBuilder, ProfileBuilder
from sidecar.profiles.read import build_profile
from sidecar.profiles.store import load, save
from sidecar.profiles.vectors import FEWEST_NUMBERS, MAX_VECTOR_COLUMNS, VectorColumns, as_vector, described
from sidecar.reference import ColumnType, Reference

ROWS, DIMENSIONS = 3_000, 32
SUFFIXES = (".norm", ".mean", ".sparsity", ".dimension", ".cosine")


def embeddings(rows=ROWS, seed=0, dimensions=DIMENSIONS):
    around = np.random.default_rng(99).normal(size=dimensions)
    found = around + np.random.default_rng(seed).normal(size=(rows, dimensions))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def made_of(values, name="embedding"):
    builder = ProfileBuilder()
    for at in range(0, len(values), 700):
        part = values[at : at + 700]
        builder.add(len(part), {"age": list(range(len(part)))}, {name: part})
    return builder.reference()


@pytest.fixture(scope="module")
def reference() -> Reference:
    return made_of(embeddings().tolist())


def test_five_numbers_stand_for_a_column_of_vectors(reference):
    assert set(reference.outputs) == {f"embedding{suffix}" for suffix in SUFFIXES}
    assert {p.type for p in reference.outputs.values()} == {ColumnType.NUMBER}
    assert reference.outputs["embedding.dimension"].mean == DIMENSIONS
    assert {name: p.rows for name, p in reference.outputs.items()} == {
        **dict.fromkeys([f"embedding{suffix}" for suffix in SUFFIXES[:4]], ROWS),
        "embedding.cosine": ROWS - TEACHING,
    }


def test_the_centroid_and_the_cosines_are_those_that_traffic_would_have_had(reference):
    live, taught = Centroid(), embeddings()
    live.learn(taught[:TEACHING])
    cosines = ColumnBuilder("embedding.cosine")
    cosines.add(live.cosines(taught[TEACHING:]))
    expected = cosines.profile(type=ColumnType.NUMBER)

    found = reference.outputs["embedding.cosine"]
    assert found.centroid == live.known
    assert found.edges == expected.edges
    assert found.shares == expected.shares


def test_traffic_is_compared_with_the_centroid_of_the_table_from_its_first_vector_on(reference, tmp_path):
    save(reference, tmp_path / "reference.json")
    centroids = Centroids()
    centroids.use(load(tmp_path / "reference.json"))
    fresh = embeddings(50, seed=1)

    [_, cosine] = centroids.compared([Column("embedding.norm", np.ones(50), fresh)])

    assert cosine.name == "embedding.cosine"
    profile = reference.outputs["embedding.cosine"]
    assert profile.min - 0.1 < min(cosine.values) <= max(cosine.values) < profile.max + 0.1


def test_the_numbers_are_those_that_decoders_have_of_the_same_vectors():
    found = embeddings(20) * np.random.default_rng(1).uniform(0.1, 10, (20, 1))
    found[:, 3] = 0
    whole = made_of(found.tolist() * 60)

    of_tensor = {column.name: column.values for column in summaries.of_array("embedding", found)}
    ours = described("embedding", found.tolist(), whole.outputs)
    for name, values in of_tensor.items():
        assert ours[name] == pytest.approx(values)
    inference = Inference("openai")
    vectors.fill_outputs(inference, found.tolist())
    for column in inference.outputs:
        assert ours[column.name] == pytest.approx(np.array(column.values), rel=0.005)


@given(st.floats(1e-6, 1e6), st.sampled_from([0.0, 0.001, 0.1]))
def test_a_norm_is_in_the_same_bin_whether_or_not_a_server_rounds_it(length, spread):
    found = np.random.default_rng(7).normal(1, spread, 60) * length
    table = [[norm] + [0.0] * (FEWEST_NUMBERS - 1) for norm in found.tolist()]
    profile = made_of(table).outputs["embedding.norm"]
    bins = Binning(ColumnType.NUMBER, np.array(profile.edges))

    rounded = np.array([float(f"{norm:.3g}") for norm in np.abs(found)])
    assert (np.diff(profile.edges) > 0).all()
    for norm, round_ in zip(np.abs(found), rounded, strict=True):
        of_rounded, of_exact = np.searchsorted(bins.edges, [round_, norm])
        assert of_rounded == of_exact
        assert profile.min <= min(norm, round_) <= max(norm, round_) <= profile.max


def test_unit_vectors_of_32_bits_have_one_norm():
    found = embeddings(2_000).astype(np.float32)
    profile = made_of(found.astype(np.float64).tolist()).outputs["embedding.norm"]
    norms = np.linalg.norm(found, axis=1)

    assert len(set(norms.tolist())) > 1
    assert len(set(np.searchsorted(profile.edges, norms).tolist())) == 1


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_every_kind_of_file_gives_the_same(kind, tmp_path, reference):
    taught, path = embeddings().tolist(), tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"embedding": vector}) + "\n" for vector in taught))
    elif kind == "csv":
        path.write_text("embedding\n" + "".join(f'"{vector}"\n' for vector in taught))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"embedding": taught}), path)

    found = build_profile(path, ["embedding"]).outputs

    assert found.keys() == reference.outputs.keys()
    for name, profile in reference.outputs.items():
        assert (found[name].edges, found[name].shares) == (profile.edges, profile.shares)
        assert found[name].centroid == profile.centroid


def test_missing_vectors_are_nulls_of_the_numbers_and_teach_nothing():
    values = embeddings(1_200).tolist()
    values[::4] = [None] * 300
    found = made_of(values).outputs

    assert found["embedding.norm"].null_ratio == 0.25
    assert "embedding.cosine" not in found  # 900 vectors are too few


def test_vectors_of_another_dimension_have_all_but_a_cosine():
    found = made_of([*embeddings(1_100).tolist(), *embeddings(100, dimensions=48).tolist()]).outputs

    assert found["embedding.cosine"].rows == 100
    assert found["embedding.dimension"].max == 48


@pytest.mark.parametrize(
    "value",
    [
        None, 0.5, "text", "[1, 2", "[]", {},
        [0.1] * (FEWEST_NUMBERS - 1), [[0.1] * 20] * 2, ["a"] * 20, [10**400] * 20,
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_no_vector_is_an_output_as_it_was(value):
    assert as_vector(value) is None
    assert set(made_of([value] * 5).outputs) == {"embedding"}


def test_features_that_are_lists_stay_what_they_were():
    builder = ProfileBuilder()
    builder.add(5, {"embedding": embeddings(5).tolist()}, {})

    assert set(builder.reference().features) == {"embedding"}


def test_the_columns_and_the_centroids_of_a_table_are_bounded():
    columns = VectorColumns(ColumnBuilder)
    taught = embeddings(TEACHING + 10).tolist()
    took = [columns.took(f"c{at}", taught) for at in range(MAX_CENTROIDS + 1)]
    took += [columns.took(f"d{at}", taught[:2]) for at in range(MAX_VECTOR_COLUMNS)]

    assert sum(took) == MAX_VECTOR_COLUMNS
    assert sum(bool(p.centroid) for p in columns.profiles().values()) == MAX_CENTROIDS
