"""KServe's real Python server, asked by KServe's own clients."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, program, serving
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("kserve")
    rest, grpc = free_ports(2)
    upstreams = (f"127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
    arguments = [program("kserve"), HERE / "servers" / "kserve_server.py", str(rest), str(grpc)]
    with (
        serving("kserve", arguments, directory, f"http://{upstreams[0]}/v2/health/ready"),
        observed(directory, *upstreams) as sidecar,
    ):
        results = asked("kserve", "kserve_calls.py", *upstreams, *sidecar.addresses)
        yield results, sidecar.page(8)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert through["v2"] == {"raw False": [6, 15], "raw True": [6, 15]}


def test_every_inference_is_counted_by_how_it_was_asked_and_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("v1", "predict", "200", "ok"): 1,
        ("v1", "explain", "200", "ok"): 1,
        ("v1", "predict", "404", "client_error"): 1,
        ("v2", "predict", "200", "ok"): 2,
        ("v2-grpc", "predict", "OK", "ok"): 2,
        ("v2-grpc", "predict", "NOT_FOUND", "client_error"): 1,
    }
    # KServe names no version.
    assert page.requests("model_name", "model_version", outcome="ok") == {("sums", "unknown"): 6}
    assert page.undecoded() == {}


def test_features_and_predictions_are_read_from_each_protocol(seen):
    _, page = seen
    assert page.total("inference_rows_total", model_name="sums") == 12
    assert page.features("sums") == {
        **{(f"input[{place}]", "valid"): 4 for place in range(3)},
        **{(f"x[{place}]", "valid"): 8 for place in range(3)},
    }
    assert page.predictions("sums") == {("prediction", ""): 2, ("sum", ""): 8}
