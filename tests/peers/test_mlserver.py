"""A real MLServer with sklearn models, asked over REST and gRPC with its own codecs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.demo.processes import free_ports
from tests.peers.running import asked, program, serving, written
from tests.peers.seen import Page, observed


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[dict[str, Any]], Page]]:
    directory = tmp_path_factory.mktemp("mlserver")
    rest, grpc = free_ports(2)
    written(directory, "mlserver_models.py", "mlserver", str(rest), str(grpc))
    upstreams = (f"127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
    arguments = [program("mlserver", "mlserver"), "start", directory]
    with (
        serving("mlserver", arguments, directory, f"http://127.0.0.1:{rest}/v2/health/ready"),
        observed(directory, *upstreams) as sidecar,
    ):
        results = asked("mlserver", "mlserver_calls.py", *upstreams, *sidecar.addresses)
        yield results, sidecar.page(11)


def test_the_client_gets_what_it_gets_without_us(seen):
    direct, through = seen[0]
    assert through == direct
    streams = through["rest"]["stream"], through["grpc"]["stream"]
    assert [len(parts) for parts in streams] == [3, 3]


def test_every_inference_is_counted_by_how_it_was_asked_and_ended(seen):
    _, page = seen
    assert page.requests() == {
        ("v2", "predict", "200", "ok"): 5,
        ("v2", "predict", "422", "client_error"): 1,
        ("v2-grpc", "predict", "OK", "ok"): 4,
        ("v2-grpc", "predict", "NOT_FOUND", "client_error"): 1,
    }
    assert page.requests("model_name", "model_version", outcome="ok") == {
        ("iris", "v1.2"): 5,
        ("churn", "7"): 2,
        # The version is in answers, and not in the parts of a stream.
        ("words", "unknown"): 2,
    }
    assert page.undecoded() == {}


def test_arrays_and_tables_are_columns_typed_or_raw(seen):
    _, page = seen
    # 150 rows and 2 and 2 over REST, 2 and 2 over gRPC; the refused request was not an inference of V2.
    assert page.features("iris") == {(f"input-1[{place}]", "valid"): 158 for place in range(4)}
    assert page.features("churn") == {("age", "valid"): 6, ("region", "valid"): 6}
    rows = page.by("inference_rows_total", "model_name", "model_version", model_version="v1.2")
    assert rows == {("iris", "v1.2"): 158}


def test_classes_are_counted_as_the_model_gave_them(seen):
    (direct, _), page = seen
    predict = page.by("inference_predictions_total", "class", model_name="iris", output="predict")
    assert predict == counted(direct)
    scores = page.by("inference_predictions_total", "output", model_name="iris") | {"predict": 0}
    assert scores == {"predict": 0, **{f"predict_proba[{place}]": 2 for place in range(3)}}


def counted(direct: dict[str, Any]) -> dict[str, int]:
    """How often each class of iris was the answer."""
    rest = [direct["rest"][name][1]["outputs"][0]["data"] for name in ("all", "iris", "both")]
    # Typed and raw the same was asked over gRPC.
    calls = [direct["grpc"]["typed"]["outputs"][0]["contents"]["int64Contents"]] * 2
    return Counter(str(value) for values in [*rest, *calls] for value in values)


def test_the_parts_of_a_stream_are_predictions_over_rest_and_grpc(seen):
    _, page = seen
    assert page.features("words") == {("text", "valid"): 2}
    assert page.by("inference_predictions_total", "output", model_name="words") == {"word": 6}
