"""A model server that really predicts: river behind an Open Inference V2 endpoint, in its own process.

    python -m sidecar.demo.model_server --port 8000

With `--candidate` it serves a second version, trained longer on the same rows. `serving` says how it is told
what to do wrong.
"""

import asyncio
import random
from dataclasses import dataclass, field

from aiohttp import web

from sidecar.demo import dataset, model, open_inference, serving
from sidecar.demo.faults import NO_SERVER_FAULT, ServerFault

_PREFIX = f"/v2/models/{dataset.MODEL_NAME}"
# What a skewed model says, whatever it is shown.
_SKEWED_TO = "sky"


@dataclass(slots=True)
class ModelServer:
    """The endpoint and its faults. `answered` and `failed` count inferences; failed ones by design.

    `candidate`, if there is one, is served as CANDIDATE_VERSION.
    """

    classifier: model.Classifier
    features: tuple[str, ...]
    fault: ServerFault = NO_SERVER_FAULT
    answered: int = 0
    failed: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    candidate: model.Classifier | None = None

    def application(self) -> web.Application:
        """The routes of the protocol that a client of one model needs."""
        app = web.Application()
        for path in ("/v2/health/live", "/v2/health/ready", f"{_PREFIX}/ready"):
            app.router.add_get(path, self.ready)
        app.router.add_get(_PREFIX, self.metadata)
        for path in (f"{_PREFIX}/infer", f"{_PREFIX}/versions/{{version}}/infer"):
            app.router.add_post(path, self.infer)
        return app

    async def ready(self, request: web.Request) -> web.Response:
        """Ready as soon as it listens: the model is trained before."""
        return web.json_response({"ready": True})

    async def metadata(self, request: web.Request) -> web.Response:
        """Inputs and outputs of the model."""
        return web.json_response(open_inference.metadata_of(self.features))

    async def infer(self, request: web.Request) -> web.Response:
        """Predict, after whatever fault is in force."""
        try:
            message = await request.json()
            rows = open_inference.rows_of(message)
        except (ValueError, RecursionError) as error:
            return web.json_response({"error": str(error)}, status=400)
        version = request.match_info.get("version", dataset.MODEL_VERSION)
        classifier = self.candidate if version == dataset.CANDIDATE_VERSION else self.classifier
        if classifier is None or version not in (dataset.MODEL_VERSION, dataset.CANDIDATE_VERSION):
            return web.json_response({"error": f"there is no version {version}"}, status=404)
        fault = self.fault if self.fault.version in ("", version) else NO_SERVER_FAULT
        if self.chance.random() < fault.error_ratio:
            self.failed += 1
            return web.json_response({"error": "the model has no worker free"}, status=503)
        if fault.latency_seconds:
            await asyncio.sleep(fault.latency_seconds * self.chance.uniform(0.8, 1.2))
        self.answered += 1
        predictions = [self._damaged(fault, *classifier.predict(row)) for row in rows]
        answer = open_inference.answer_of(predictions, str(message.get("id", "")), version)
        return web.json_response(answer)

    def _damaged(self, fault: ServerFault, label: str, score: float) -> tuple[str, float | None]:
        skewed = fault.skew_ratio and self.chance.random() < fault.skew_ratio
        null = fault.null_ratio and self.chance.random() < fault.null_ratio
        return _SKEWED_TO if skewed else label, None if null else score


def main() -> None:
    """Train, then serve."""
    parser = serving.arguments("sidecar.demo.model_server", __doc__)
    parser.add_argument("--candidate", action="store_true", help="serve a second version")
    arguments = parser.parse_args()
    data = dataset.load()
    server = ModelServer(model.train(data.training), data.features)
    if arguments.candidate:
        server.candidate = model.train(data.training, passes=4)
    asyncio.run(serving.serve(server, arguments.host, arguments.port, arguments.controlled))


if __name__ == "__main__":
    main()
