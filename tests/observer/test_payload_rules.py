"""A configured payload reaches the decoders of the observer that it is configured for, and of no other."""

from sidecar.config import load
from sidecar.observer.pipeline import Pipeline
from tests.decoders.reading import posted

SAMPLE = {"wrapped": {"deep": [{"age": 41}, {"age": 28}]}, "threshold": 1}


def rows(path: str | None) -> float:
    pipeline = Pipeline(load(path, {}, {}))
    pipeline.observer.observe(posted("/score", SAMPLE, {"prediction": [0.5, 0.5]}))
    families = {family.metric.name: family for family in pipeline.registry.snapshot().families}
    return sum(value for _, value in families["inference_rows_total"].series)


def test_rows_are_where_the_configuration_says(tmp_path):
    file = tmp_path / "sidecar.yaml"
    file.write_text("payload: {rows: wrapped.deep}")
    assert rows(str(file)) == 2
    assert rows(None) == 1
