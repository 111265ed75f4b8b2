"""A BentoML service: rows as a matrix, as records, as a table, and an answer in parts."""

from collections.abc import Iterator

import bentoml
import numpy as np
import pandas as pd


@bentoml.service
class Churn:
    """The score is a hundredth of the age."""

    @bentoml.api
    def scores(self, data: np.ndarray) -> np.ndarray:
        """A matrix whose first column is the age."""
        return data[:, 0] / 100

    @bentoml.api
    def predict(self, rows: list[dict[str, float]], threshold: float = 0.5) -> list[str]:
        """Records, and a parameter beside them."""
        return ["stays" if row["age"] / 100 > threshold else "leaves" for row in rows]

    @bentoml.api
    def table(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A table."""
        return pd.DataFrame({"score": frame["age"] / 100})

    @bentoml.api
    def words(self, text: str) -> Iterator[str]:
        """A text, word by word."""
        yield from text.split()
