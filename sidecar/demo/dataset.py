"""The demo's data: segments of outdoor photographs, from a file inside river's own wheel.

About two thousand rows, 18 numeric features, seven classes of what a segment shows (UCI "Image
Segmentation"). Half of the rows train the model and make its reference; the other half is the traffic,
rows the model has never seen. The split is fixed, so that every run of the demo tells the same story.
"""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from river import datasets

MODEL_NAME = "image-segments"
MODEL_VERSION = "1"
CANDIDATE_VERSION = "2"
LABEL = "label"
SCORE = "score"

Row = dict[str, float | None]

# The shuffle that both halves come from. Any will do: the data has no order that matters.
_SEED = 7


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row and what it really was."""

    row: Row
    label: str


@dataclass(frozen=True, slots=True)
class Data:
    """Rows for training (and the reference), and rows for traffic. No row is in both."""

    training: Sequence[Labelled]
    traffic: Sequence[Labelled]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order of the data set."""
        return tuple(self.training[0].row)


def load() -> Data:
    """Read and split the data set. Needs no network."""
    # The file repeats some rows; repeated ones would be in both halves.
    unique = {tuple(x.values()): (x, y) for x, y in datasets.ImageSegments()}  # type: ignore[no-untyped-call]
    rows = [Labelled({k: float(v) for k, v in x.items()}, str(y)) for x, y in unique.values()]
    random.Random(_SEED).shuffle(rows)
    return Data(rows[0::2], rows[1::2])


def write_table(path: Path, rows: Sequence[Labelled], predictions: Sequence[tuple[str, float]]) -> None:
    """Write rows and what the model predicted for them as the csv that `sidecar profile` reads."""
    features = list(rows[0].row)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*features, LABEL, SCORE])
        for labelled, (label, score) in zip(rows, predictions, strict=True):
            writer.writerow([*(labelled.row[name] for name in features), label, score])
