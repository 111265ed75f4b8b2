"""Seldon's real wrapper of Python models, asked by Seldon's own client."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, program, serving
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("seldon")
    rest, grpc, metrics = free_ports(3)
    upstreams = (f"127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
    arguments = [program("seldon", "seldon-core-microservice"), "Churn", "--service-type", "MODEL"]
    arguments += ["--http-port", str(rest), "--grpc-port", str(grpc), "--metrics-port", str(metrics)]
    ready = f"http://127.0.0.1:{rest}/health/ping"
    with (
        serving("seldon", arguments, directory, ready, {"PYTHONPATH": str(HERE / "servers")}),
        observed(directory, *upstreams, model={"name": "churn", "version": "3"}) as sidecar,
    ):
        results = asked("seldon", "seldon_calls.py", *upstreams, *sidecar.addresses)
        yield results, sidecar.page(6)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert through["grpc tensor"]["data"]["tensor"]["values"] == [0.4, 0.6, 0.8, 0.2]


def test_every_inference_is_counted_by_how_it_was_asked_and_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("seldon", "predict", "200", "ok"): 3,
        ("seldon", "predict", "500", "server_error"): 1,
        ("seldon-grpc", "predict", "OK", "ok"): 2,
    }
    assert page.requests("model_name", "model_version") == {("churn", "3"): 6}
    assert page.undecoded() == {}


def test_features_and_classes_have_the_names_that_both_sides_give_them(seen):
    _, page = seen
    # Five requests of two rows; a sixth, which was refused, was a text instead.
    assert page.total("inference_rows_total") == 11
    assert page.features("churn") == {
        ("age", "valid"): 10,
        ("visits", "valid"): 10,
        ("age", "missing"): 1,
        ("visits", "missing"): 1,
        ("__other__", "valid"): 1,
    }
    assert page.predictions("churn") == {("leaves", ""): 10, ("stays", ""): 10}
