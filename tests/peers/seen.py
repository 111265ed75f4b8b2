"""The sidecar in front of model servers, and what its /metrics says."""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.running import Sidecar, started, until

_RELAYING = re.compile(r"relaying (\S+) to ")
_ADMIN = re.compile(r"status page on http://127\.0\.0\.1:(\d+)/")


class Page:
    """One reading of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [one for family in text_string_to_metric_families(text) for one in family.samples]

    def by(self, name: str, *labels: str, **where: str) -> dict[Any, float]:
        """Sums of the samples of `name` by the values of these labels, as a tuple if several; no zeros."""
        sums: dict[Any, float] = {}
        for sample in self._samples:
            if sample.name == name and where.items() <= sample.labels.items():
                values = tuple(sample.labels[label] for label in labels)
                key = values[0] if len(labels) == 1 else values
                sums[key] = sums.get(key, 0.0) + sample.value
        return {key: value for key, value in sums.items() if value}

    def total(self, name: str, **where: str) -> float:
        """The sum of all samples of `name` with these labels."""
        return sum(self.by(name, **where).values())

    def features(self, model: str) -> dict[tuple[str, str], float]:
        """Values of a model's features, by name and state."""
        return self.by("inference_feature_values_total", "feature", "state", model_name=model)

    def predictions(self, model: str) -> dict[tuple[str, str], float]:
        """Predictions of a model, by output and class."""
        return self.by("inference_predictions_total", "output", "class", model_name=model)

    def undecoded(self) -> dict[tuple[str, str], float]:
        """Payloads that could not be read, by protocol and reason."""
        return self.by("sidecar_exchanges_undecoded_total", "protocol", "reason")

    def requests(self, *labels: str, **where: str) -> dict[Any, float]:
        """Inferences by protocol, operation, code and outcome, or by other labels."""
        shown = labels or ("protocol", "operation", "code", "outcome")
        return self.by("inference_requests_total", *shown, **where)


class Observed:
    """A running sidecar: where it relays each upstream, and what it says once all exchanges have ended."""

    def __init__(self, running: Sidecar, addresses: list[str]) -> None:
        self.running = running
        self.addresses = addresses

    def page(self, inferences: int) -> Page:
        """Its metrics once it has seen as many inferences as this."""
        last: list[Page] = []

        def seen() -> bool:
            last[:] = [Page(self.running.get("/metrics")[1])]
            return last[0].total("inference_requests_total") >= inferences

        with contextlib.suppress(AssertionError):  # the test says better what is missing
            until(seen, f"{inferences} inferences", self.running, seconds=15)
        return last[0]


@contextlib.contextmanager
def observed(directory: Path, *upstreams: str, **more: Any) -> Iterator[Observed]:
    """One sidecar with a route to each of the upstreams; `more` is all else that is configured."""
    routes = [{"listen": "127.0.0.1:0", "upstream": upstream} for upstream in upstreams]
    file = directory / "sidecar.yaml"
    file.write_text(yaml.safe_dump({"routes": routes, "admin": "127.0.0.1:0", **more}))
    with started(directory, "run", "--config", str(file)) as running:
        until(lambda: _ADMIN.search(running.said()) is not None, "its ports in the log", running)
        [admin] = _ADMIN.findall(running.said())
        running.admin = ("127.0.0.1", int(admin))
        addresses = _RELAYING.findall(running.said())
        until(lambda: running.get("/-/ready")[0] == 200, "ready", running)
        # It relays before its observer watches: a connection that is observed says that it does.
        with contextlib.ExitStack() as held:
            for host, _, port in (address.rpartition(":") for address in addresses):
                held.enter_context(socket.create_connection((host, int(port))))
            until(lambda: _watched(running) >= len(addresses), "observing", running)
        yield Observed(running, addresses)


def _watched(running: Sidecar) -> float:
    return running.metric("sidecar_connections", state="observed")
