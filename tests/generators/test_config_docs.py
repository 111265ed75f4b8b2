"""The page about settings says everything that may be set, and its example is true."""

import re

from sidecar import config
from sidecar.config import problems
from sidecar.generators import config_docs

PAGE = config_docs.generate()["configuration.md"]


def test_every_key_has_its_row_and_its_explanation():
    rows = dict(re.findall(r"^\| `([^`]+)` \| [^|]* \| (.+) \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(problems.all_keys())
    assert all(rows.values())


def test_defaults_are_shown_as_they_would_be_written():
    assert "| `listen` | `0.0.0.0:18080` |" in PAGE
    assert "| `drain.deadline` | `25s` |" in PAGE


def test_the_example_is_a_configuration_without_problems(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (tmp_path / "sidecar.yaml").write_text(example[1])
    assert config.load(str(tmp_path / "sidecar.yaml"), {}, {}).resolved_routes()
