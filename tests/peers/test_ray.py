"""A real Ray Serve."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, program, serving
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("ray")
    [port] = free_ports(1)
    upstream = f"127.0.0.1:{port}"
    arguments = [program("ray"), HERE / "servers" / "ray_app.py", str(port)]
    with (
        serving("ray", arguments, directory, f"http://{upstream}/churn"),
        observed(directory, upstream, model={"name": "churn", "version": "7"}) as sidecar,
    ):
        results = asked("ray", "ray_calls.py", upstream, *sidecar.addresses)
        yield results, sidecar.page(4)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert [code for code, _ in through.values()] == [200, 200, 500, 200]


def test_every_inference_is_counted_by_its_model_and_how_it_ended(seen):
    _, page = seen
    assert page.requests("protocol", "operation", "code", "outcome", "model_name", "model_version") == {
        ("json", "predict", "200", "ok", "churn", "7"): 2,
        # As the header says that Ray chooses a model by.
        ("json", "predict", "200", "ok", "fraud", "7"): 1,
        ("json", "predict", "500", "server_error", "churn", "7"): 1,
    }


def test_an_object_is_a_row_and_its_score_a_prediction(seen):
    _, page = seen
    assert page.features("churn") == {("age", "valid"): 1, ("age", "missing"): 1, ("region", "valid"): 2}
    assert page.features("fraud") == {("age", "valid"): 1, ("region", "valid"): 1}
    assert page.predictions("churn") == page.predictions("fraud") == {("score", ""): 1}


def test_a_stream_of_bare_text_is_counted_but_not_read_as_predictions(seen):
    assert seen[1].undecoded() == {("json", "not_json"): 1}
