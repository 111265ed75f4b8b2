"""Ray Serve with two applications: one for a row of JSON, one that streams. Its argument is a port."""

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse


@serve.deployment
class Churn:
    """The score is a hundredth of the age."""

    async def __call__(self, request: Request) -> dict[str, Any]:
        """One row; nothing if there is none, for whoever wants to know whether it is there."""
        if request.method == "GET":
            return {}
        row = await request.json()
        return {"score": row["age"] / 100, "model_version": "7"}


@serve.deployment
class Words:
    """Answers a text word by word."""

    async def __call__(self, request: Request) -> StreamingResponse:
        """A text."""
        asked = await request.json()
        return StreamingResponse(self.words(asked["text"]), media_type="text/plain")

    def words(self, text: str) -> Iterator[str]:
        """Its words."""
        yield from text.split()


def main() -> None:
    """Serve until told to stop."""
    # Sockets live in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as directory:
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=directory, _node_ip_address="127.0.0.1")
        serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
        serve.run(Words.bind(), name="words", route_prefix="/words")
        serve.run(Churn.bind(), name="churn", route_prefix="/churn")
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait()
        ray.shutdown()


if __name__ == "__main__":
    main()
