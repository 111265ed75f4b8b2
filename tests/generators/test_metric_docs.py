from sidecar import catalog
from sidecar.generators import files, metric_docs
from tests.generators.tools import ROOT

TEXTS = metric_docs.generate()


def row(name):
    return next(line for line in TEXTS["README.md"].splitlines() if line.startswith(f"| `{name}` |"))


def test_the_committed_reference_is_what_the_generator_writes():
    assert files.differences(ROOT / "docs" / "metrics", TEXTS) == [], "run `make gen` and commit the result"


def test_every_metric_has_its_row_with_kind_meaning_and_both_names():
    for metric in catalog.ALL:
        assert metric.help.replace("|", "\\|") in row(metric.name)
        assert f"| {metric.kind.value} |" in row(metric.name)
        assert f"| `{metric.otlp_name}` |" in row(metric.name)


def test_labels_whose_values_come_from_traffic_carry_a_star():
    assert "`feature`* `state` |" in row("inference_feature_values_total")


def test_every_closed_label_lists_all_its_values():
    text = TEXTS["README.md"]
    for metric in catalog.ALL:
        for label, values in metric.closed.items():
            listed = " ".join(f"`{value}`" for value in values)
            assert f"| `{metric.name}` | `{label}` | {listed} |" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    lines = TEXTS["README.md"].splitlines()
    rows = [line for line in lines if line.startswith("|")]

    assert {line.replace("\\|", "").count("|") for line in rows} == {7, 4}
