"""SageMaker's containers and endpoints, where the path or the media type says that it is them.

Source: AWS, "Common data formats for inference", "Custom inference code" and the InvokeEndpoint reference.
On a plain `/invocations` it is the body or the headers that say so, see `invocations`. The trap: CSV has no
header row, and an answer's content type is neither the request's nor always the truth.
"""

import re

from sidecar.decoders import invocations
from sidecar.decoders.decoder import Claim
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation

# /endpoints/{name} is SageMaker from outside, /models/{name}/invoke a container of several models.
_PATH = re.compile(
    r"(?:^|/)endpoints/([^/]+)/(?:async-)?invocations(?:-response-stream)?/?$|(?:^|/)models/([^/]+)/invoke/?$"
)
_INVOCATIONS = re.compile(r"/invocations/?$")
# What nobody else sends to /invocations. CSV and JSON are MLflow's too.
_MEDIA = frozenset({
    "application/x-npy", "application/x-recordio-protobuf", "application/x-recordio", "text/libsvm",
    "text/x-libsvm", "application/jsonlines",
})  # fmt: skip


class SageMaker:
    """Reads CSV, JSON, JSON lines, NPY, RecordIO and LIBSVM; answers in any of these."""

    name = invocations.SAGEMAKER

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST on an endpoint or a model of a container, or of a media type of SageMaker's."""
        if method != "POST":
            return None
        found = _PATH.search(path)
        if found is not None:
            model = ModelRef((found[1] or found[2]).replace("%2F", "/"))
            why = "the path is " + ("/models/…/invoke" if found[2] else "/endpoints/…/invocations")
            return Claim(self.name, Operation.PREDICT, model, why)
        if media in _MEDIA and _INVOCATIONS.search(path):
            return Claim(self.name, Operation.PREDICT, evidence=f"{media} on /invocations")
        return None

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from whichever of the formats the body has; model and variant from headers."""
        invocations.read_request(exchange, inference)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from predictions, by what the answer is rather than by what it is called."""
        invocations.read_answer(exchange, inference)
