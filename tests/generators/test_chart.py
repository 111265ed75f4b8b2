from pathlib import Path

import pytest
import yaml

from sidecar.generators import chart, files
from sidecar.generators.chart import Value, documented
from sidecar.generators.interception_docs import BEGIN, END, insert, table

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "inference-sidecar"

VALUES = """
# About the file.

image:
  # -- Where it is,
  # and why.
  repository: example.org/a
  # Not for the table.
  other: 1
  resources:
    # -- A | B
    limits: {memory: 1Mi}
# -- Nothing.
list: []
"""


def test_each_value_is_told_with_its_path_its_default_and_its_reason():
    assert list(documented(VALUES)) == [
        Value("image.repository", "example.org/a", "Where it is, and why."),
        Value("image.resources.limits", "{memory: 1Mi}", "A | B"),
        Value("list", "[]", "Nothing."),
    ]


def leaves(tree, path=""):
    for key, value in tree.items():
        below = f"{path}.{key}".lstrip(".")
        yield below
        if isinstance(value, dict):
            yield from leaves(value, below)


# Explained by the comment of their neighbour above.
WITH_ANOTHER = {"webhook.tolerations", "webhook.affinity"}


def test_every_value_of_the_chart_is_explained():
    text = (CHART / "values.yaml").read_text()
    told = {value.path for value in documented(text)}
    missing = [
        path
        for path in leaves(yaml.safe_load(text))
        if path not in WITH_ANOTHER and not any(path.startswith(t) or t.startswith(f"{path}.") for t in told)
    ]
    assert missing == []


def test_what_the_chart_ships_is_what_the_generators_say():
    for directory, texts in chart.generate(CHART).items():
        assert files.differences(directory, texts) == [], "run `make gen`"


def test_the_table_of_what_works_where_is_in_the_docs():
    page = ROOT / "docs" / "kubernetes.md"
    assert insert(page) == page.read_text(), "run `make gen`"


def test_the_table_is_put_between_its_marks_and_nothing_else_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    assert insert(page) == f"before\n{BEGIN}{table()}{END}after\n"
    page.write_text("no marks")
    with pytest.raises(Exception, match="marks"):
        insert(page)


def test_the_table_has_a_row_for_each_way_that_versions_differ_and_says_why():
    rows, notes = (part.splitlines() for part in table().split("\n\n"))
    assert len(rows) == 2 + 16
    assert rows[2] == "| policy | port-swap | named | 1.29 to 1.35 | refuses (1) | refuses (1) |"
    assert rows[3] == "| policy | port-swap | named | 1.36 and later | works | works |"
    assert rows[11].startswith("| webhook | port-swap | numeric | 1.29 and later | refuses (")
    assert rows[11].endswith(") | falls back to redirect |")
    assert (
        notes[0] == "1. Policies need Kubernetes 1.36 or later; on older clusters use injection.mode=webhook."
    )
