"""BentoML's own client."""

from typing import Any

import bentoml
import numpy as np
import pandas as pd
from both import report

ROWS = np.array([[60.0, 1.0], [20.0, 2.0]])
RECORDS = [{"age": 60.0, "visits": 1.0}, {"age": 20.0, "visits": 2.0}, {"age": 70.0, "visits": 3.0}]


def everything(address: str) -> dict[str, Any]:
    """Five calls, one of them refused and one a stream, besides those of the client itself."""
    with bentoml.SyncHTTPClient(f"http://{address}") as client:
        found = {
            "scores": np.asarray(client.scores(data=ROWS)).tolist(),
            "predict": client.predict(rows=RECORDS, threshold=0.65),
            "table": client.table(frame=pd.DataFrame(RECORDS)).to_dict(orient="list"),
            "words": list(client.words(text="it will rain")),
        }
        try:
            client.predict(rows=[{"age": "old"}])
        except bentoml.exceptions.BentoMLException as error:
            found["refused"] = int(error.error_code)
        return found


if __name__ == "__main__":
    report(everything)
