"""MLflow's scoring server: `/invocations`, where the body says whose it is.

Source: mlflow docs, "Deploy MLflow Model as a Local Inference Server". Model name and version are not on the
wire, but for headers. The trap: SageMaker's containers have the same path, see `invocations`.
"""

import re

from sidecar.decoders import invocations
from sidecar.decoders.decoder import Claim
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation

# /serving-endpoints/{name} is Databricks.
_PATH = re.compile(r"(?:/serving-endpoints/([^/]+))?/invocations/?$")


class MLflow:
    """Reads dataframe_split, dataframe_records, instances, inputs and csv; predictions."""

    name = invocations.MLFLOW

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST …/invocations, whatever its body."""
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            return None
        model = ModelRef((found[1] or "").replace("%2F", "/"))
        return Claim(self.name, Operation.PREDICT, model, "the path is /invocations")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from whichever of the forms the body has."""
        invocations.read_request(exchange, inference)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from predictions, in the form the request's protocol has them."""
        invocations.read_answer(exchange, inference)
