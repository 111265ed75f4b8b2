"""A real Triton, asked by tritonclient."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import HERE, asked, program, serving
from tests.peers.seen import Page, observed

CHURN = {"model_name": "churn", "model_version": "1"}


def installed(directory: Path) -> tuple[Path, Path, str]:
    """Triton's program, a directory with its Python backend made whole for this Python, and libpython's.

    Without the last the backend takes the system's, which may be another one.
    """
    code = (
        "from sysconfig import *; print(get_python_version(), get_path('purelib'), get_config_var('LIBDIR'))"
    )
    answer = subprocess.check_output([program("triton"), "-c", code], text=True)
    python, packages, libraries = answer.split()
    triton = Path(packages) / "pytriton" / "tritonserver"
    backend = directory / "backends" / "python"
    backend.mkdir(parents=True)
    stubs = triton / "python_backend_stubs" / python
    for file in [*(triton / "backends" / "python").iterdir(), *stubs.iterdir()]:
        (backend / file.name).symlink_to(file)
    return triton / "bin" / "tritonserver", backend.parent, libraries


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    """What tritonclient got from Triton and through the sidecar, and the metrics of the latter."""
    directory = tmp_path_factory.mktemp("triton")
    models = shutil.copytree(HERE / "triton", directory / "models")
    server, backends, libraries = installed(directory)
    rest, grpc = free_ports(2)
    arguments = [
        server, "--model-repository", models, "--backend-directory", backends, "--allow-metrics", "false",
        "--http-address", "127.0.0.1", "--http-port", str(rest),
        "--grpc-address", "127.0.0.1", "--grpc-port", str(grpc),
    ]  # fmt: skip
    more = {"LD_LIBRARY_PATH": libraries}
    upstreams = (f"127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
    with (
        serving("triton", arguments, directory, f"http://127.0.0.1:{rest}/v2/health/ready", more),
        observed(directory, *upstreams) as sidecar,
    ):
        results = asked("triton", "triton_calls.py", *upstreams, *sidecar.addresses)
        yield results, sidecar.page(13)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    assert through["version"] == "2.51.0"
    assert through["raw"]["score"] == "[[0.6000000238418579], [0.20000000298023224], [nan]]"
    assert through["grpc"]["stream"] == [0, 0, 1, 1, 2]


def test_every_inference_is_counted_by_how_it_was_asked_and_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("v2", "predict", "200", "ok"): 5,
        ("v2", "predict", "404", "client_error"): 1,
        ("v2", "generate", "200", "ok"): 1,
        ("v2-grpc", "predict", "OK", "ok"): 4,
        ("v2-grpc", "predict", "OK", "server_error"): 1,
        ("v2-grpc", "predict", "NOT_FOUND", "client_error"): 1,
    }
    names = {("churn", "1"): 7, ("echo", "1"): 1, ("words", "1"): 2}
    assert page.requests("model_name", "model_version", outcome="ok") == names
    assert page.by("sidecar_other_exchanges_total", "kind") == {"probe": 1, "metadata": 1}


def test_features_are_read_from_json_and_from_raw_tensors_packed_or_not(seen):
    _, page = seen
    # JSON 2 rows, raw 3, 1 of a version, gzip 2, classes 1; over gRPC 3, and gzip 2.
    assert page.total("inference_rows_total", **CHURN) == 14
    assert page.features("churn") == {("age", "valid"): 12, ("age", "nan"): 2, ("region", "valid"): 14}
    assert page.undecoded() == {}


def test_predictions_are_counted_and_those_that_are_no_number_apart(seen):
    _, page = seen
    # For classes no label was asked, and the score came with its class.
    counted = page.by("inference_predictions_total", "output", **CHURN)
    assert counted == {"score": 14, "label": 13, "score.score": 1}
    assert page.by("inference_predictions_invalid_total", "output", "reason") == {("score", "nan"): 2}


def test_the_parts_of_a_decoupled_stream_are_all_predictions_and_an_error_in_one_is_an_error(seen):
    _, page = seen
    # Two requests on one stream; a third on another, which Triton calls a success with an error inside.
    assert page.features("words") == {("count", "valid"): 3}
    assert page.by("inference_predictions_total", "output", model_name="words") == {"number": 5}
    assert page.requests("code", "outcome", model_name="words", protocol="v2-grpc") == {
        ("OK", "ok"): 1,
        ("OK", "server_error"): 1,
    }


def test_raw_tensors_of_other_types_are_columns_too(seen):
    _, page = seen
    places = [f"{name}[{place}]" for name in ("flag", "half", "long", "byte") for place in range(4)]
    assert page.features("echo") == {(name, "valid"): 1 for name in places}
    assert page.total("inference_predictions_total", model_name="echo") == len(places)
