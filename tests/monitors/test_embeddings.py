"""Embeddings: another encoder whose vectors are as long as before is drift, and a restart changes nothing."""

import numpy as np
import pytest

from sidecar.decoders.vectors import fill_outputs
from sidecar.errors import ConfigError
from sidecar.exchange import Outcome
from sidecar.inference import Inference, ModelRef, Operation
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.rows import Rows
from sidecar.policy import Policies
from sidecar.profiles import learn_state
from sidecar.profiles.learn import LearntReferences
from sidecar.profiles.store import from_json, to_json
from sidecar.registry import Registry
from tests.fakes import exchange

DIMENSIONS, NAME = 64, "embedding.cosine"
_MEAN = np.random.default_rng(5).normal(size=DIMENSIONS) * 0.5


def unit_vectors(rows, seed):
    drawn = _MEAN + np.random.default_rng(seed).normal(size=(rows, DIMENSIONS))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def rotated(vectors):
    return vectors @ np.linalg.qr(np.random.default_rng(8).normal(size=(DIMENSIONS, DIMENSIONS)))[0]


def answer(vectors):
    read = Inference("openai", Operation.EMBED, ModelRef("m", "1"))
    fill_outputs(read, vectors.tolist())
    return read


def send(rows, vectors):
    for at in range(0, len(vectors), 250):
        rows.observe(exchange(at=float(at)), answer(vectors[at : at + 250]))
    rows.flush()


def after_learning():
    references = LearntReferences()
    send(Rows([references], Policies(), references), unit_vectors(5_000, 0))
    return references.of("m")


def test_a_learnt_reference_has_the_centroid_and_the_cosines_of_what_did_not_teach():
    reference = after_learning()
    profile = reference.outputs[NAME]
    assert (profile.rows, profile.null_ratio, len(profile.centroid)) == (4_000, 0.0, 4 * DIMENSIONS)
    assert from_json(to_json(reference)).outputs[NAME].centroid == profile.centroid
    assert reference.outputs["embedding.norm"].centroid == b""


@pytest.mark.parametrize(
    ("change", "drifts"), [(rotated, True), (lambda v: v, False)], ids=["another encoder", "the same"]
)
def test_another_encoder_of_the_same_length_drifts(change, drifts):
    policies, references = Policies(), LearntReferences(default=after_learning())
    said = []
    drift = Drift(Registry(), references, policies, Settings(pace=OFFLINE), said.append)
    rows = Rows([drift], policies, references)
    send(rows, unit_vectors(8_000, 1))
    assert [verdict for verdict in said if verdict.level != "event"] == []
    send(rows, change(unit_vectors(2_000, 2)))
    assert {verdict.name for verdict in said if verdict.level != "event"} == ({NAME} if drifts else set())


def test_learning_that_goes_on_after_a_restart_forgets_cosines_to_the_centroid_before():
    references = LearntReferences()
    send(Rows([references], Policies(), references), unit_vectors(3_000, 0))
    later = LearntReferences()
    later.go_on_learning(learn_state.encoded(references.learning()))
    send(Rows([later], Policies(), later), unit_vectors(2_000, 1))
    profile = later.of("m").outputs[NAME]
    assert profile.rows == 1_000
    assert profile.centroid


def test_a_refused_request_teaches_nothing():
    references = LearntReferences()
    rows = Rows([references], Policies(), references)
    for _ in range(8):
        rows.observe(exchange(status=500, outcome=Outcome.SERVER_ERROR), answer(unit_vectors(250, 0)))
    send(rows, unit_vectors(1_000, 0))
    assert NAME not in rows._schemas["m"].outputs._types


@pytest.mark.parametrize("centroid", ["AAAA", "AACAPwAAgD8=", "no base64", 7, "AADAfw=="])
def test_a_centroid_that_is_no_unit_vector_is_refused(centroid):
    document = to_json(after_learning())
    document["outputs"][NAME]["centroid"] = centroid
    with pytest.raises(ConfigError, match="no unit vector"):
        from_json(document)
