"""What can go wrong in the demo, as values: on the way to the model, and in it.

A DataFault is what a feature pipeline does upstream, so the traffic applies it to rows; a ServerFault is
what a model server does, and reaches it on its standard input, which the sidecar cannot see.
"""

import json
import random
from dataclasses import asdict, dataclass

from sidecar.demo.dataset import Row


@dataclass(frozen=True, slots=True)
class DataFault:
    """`null_feature` is null in `null_ratio` of rows; `scaled_feature` is multiplied by `scale`."""

    null_feature: str = ""
    null_ratio: float = 0.0
    scaled_feature: str = ""
    scale: float = 1.0

    def apply(self, row: Row, chance: random.Random) -> Row:
        """The row as it leaves the pipeline; `row` itself is not changed."""
        row = dict(row)
        if self.null_feature in row and chance.random() < self.null_ratio:
            row[self.null_feature] = None
        value = row.get(self.scaled_feature)
        if value is not None:
            row[self.scaled_feature] = value * self.scale
        return row


@dataclass(frozen=True, slots=True)
class ServerFault:
    """Each answer begins `latency_seconds` later, and `error_ratio` of them are a 503.

    Predictions: the score of `null_ratio` of rows is null, and `skew_ratio` of rows get one and the same
    class. Generated answers: `truncated_ratio` of streams stop half-way, `stalled_ratio` pause for a while,
    `empty_ratio` say nothing. With a `version`, only that version's answers.
    """

    latency_seconds: float = 0.0
    error_ratio: float = 0.0
    version: str = ""
    null_ratio: float = 0.0
    skew_ratio: float = 0.0
    truncated_ratio: float = 0.0
    stalled_ratio: float = 0.0
    empty_ratio: float = 0.0

    def encode(self) -> bytes:
        """One line for the model server's standard input."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "ServerFault":
        """The fault that a line asks for. Raises ValueError or TypeError on anything else."""
        return cls(**json.loads(line))


NO_DATA_FAULT = DataFault()
NO_SERVER_FAULT = ServerFault()
