"""A real BentoML service, asked by BentoML's own client."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, program, serving
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("bentoml")
    [port] = free_ports(1)
    upstream = f"127.0.0.1:{port}"
    arguments = [program("bentoml", "bentoml"), "serve", "bento_service:Churn"]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--working-dir", HERE / "servers"]
    more = {"BENTOML_HOME": str(directory), "BENTOML_DO_NOT_TRACK": "true"}
    with (
        serving("bentoml", arguments, directory, f"http://{upstream}/readyz", more),
        observed(directory, upstream, model={"name": "churn", "version": "3"}) as sidecar,
    ):
        results = asked("bentoml", "bentoml_calls.py", upstream, *sidecar.addresses)
        yield results, sidecar.page(5)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert through["words"] == ["it", "will", "rain"]


def test_every_inference_is_counted_by_how_it_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("json", "predict", "200", "ok"): 4,
        ("json", "predict", "400", "client_error"): 1,
    }
    assert page.requests("model_name", "model_version") == {("churn", "3"): 5}
    # What the client asks for itself: whether the service is ready, and what it can do.
    assert page.by("sidecar_other_exchanges_total", "kind") == {"probe": 1, "metadata": 1}


def test_a_stream_of_bare_text_is_counted_but_not_read_as_predictions(seen):
    assert seen[1].undecoded() == {("json", "stream"): 1}


def test_rows_are_found_in_matrices_records_and_tables(seen):
    _, page = seen
    # A matrix of 2, records 3, a table 3, and a record of the wrong type, which was refused.
    assert page.total("inference_rows_total") == 9
    assert page.features("churn") == {
        ("data[0]", "valid"): 2,
        ("data[1]", "valid"): 2,
        ("age", "valid"): 6,
        ("age", "wrong_type"): 1,
        ("visits", "valid"): 6,
    }
    assert page.by("inference_predictions_total", "output") == {"prediction": 5, "score": 3}
