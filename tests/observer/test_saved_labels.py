"""What waits for labels, as a file has it."""

import json

import numpy as np
import pytest

from sidecar.observer import saved_labels
from sidecar.observer.saved_labels import decoded, encoded


def state(segments=1, rows=3):
    one = {
        "keys": np.array([1, 2**64 - 1], np.uint64),
        "times": np.array([0.5, 1.5]),
        "models": np.array([0, 0], np.uint16),
        "firsts": np.array([0, 1], np.uint32),
        "counts": np.array([1, rows - 1], np.uint32),
        "values": np.linspace(0, 1, rows),
        "kinds": np.full(rows, 0x81, np.uint8),
    }
    return {"predictions": {"models": [["m", "1"]], "segments": [one] * segments}, "results": {"windows": []}}


def test_it_comes_back_as_it_was_and_can_be_written_to():
    back = decoded(json.loads(json.dumps(encoded(state()))))
    [before], [after] = state()["predictions"]["segments"], back["predictions"]["segments"]
    for name, column in before.items():
        assert after[name].tolist() == column.tolist()
    after["kinds"][0] = 1


def test_of_more_than_a_file_may_be_the_newest_survive(monkeypatch):
    size = sum(column.nbytes for column in state()["predictions"]["segments"][0].values())
    monkeypatch.setattr(saved_labels, "LIMIT_BYTES", 2 * size)
    assert len(encoded(state(segments=5))["predictions"]["segments"]) == 2


@pytest.mark.parametrize("damage", ["not base64!", "AAA=", 7])
def test_damage_is_found(damage):
    document = encoded(state())
    document["predictions"]["segments"][0]["keys"] = damage
    with pytest.raises((ValueError, TypeError)):
        decoded(document)
