"""MLflow's real scoring server, which never says which model it serves."""

from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import asked, program, serving, written
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("mlflow")
    [port] = free_ports(1)
    written(directory, "mlflow_model.py", "mlflow")
    upstream = f"127.0.0.1:{port}"
    arguments = [program("mlflow", "mlflow"), "models", "serve", "-m", "model", "--env-manager", "local"]
    arguments += ["-h", "127.0.0.1", "-p", str(port), "-w", "1"]
    with (
        serving("mlflow", arguments, directory, f"http://{upstream}/ping"),
        observed(directory, upstream, model={"name": "churn", "version": "3"}) as sidecar,
    ):
        results = asked("mlflow", "mlflow_calls.py", upstream, *sidecar.addresses)
        yield results, sidecar.page(5)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert '"score": NaN' in through["records"][1]


def test_what_the_server_does_not_say_is_as_configured(seen):
    _, page = seen
    assert page.requests("model_name", "model_version") == {("churn", "3"): 5}


def test_every_inference_is_counted_by_how_it_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("mlflow", "predict", "200", "ok"): 4,
        ("mlflow", "predict", "400", "client_error"): 1,
    }
    assert page.by("sidecar_other_exchanges_total", "kind") == {"probe": 1}
    assert page.undecoded() == {}


def test_features_are_read_from_every_form_of_a_table(seen):
    _, page = seen
    # split 2 rows, records 3, inputs 2, CSV 2, and 1 that is refused for want of a region.
    assert page.total("inference_rows_total") == 10
    assert page.features("churn") == {
        ("age", "valid"): 8,
        ("age", "null"): 1,
        ("age", "missing"): 1,
        ("region", "valid"): 9,
        ("region", "missing"): 1,
    }


def test_predictions_that_are_no_number_are_counted_though_they_are_no_json(seen):
    _, page = seen
    assert page.by("inference_predictions_total", "output") == {"score": 9, "label": 9}
    assert page.by("inference_predictions_invalid_total", "output", "reason") == {("score", "nan"): 2}
