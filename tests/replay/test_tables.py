"""What `sidecar replay` prints for people."""

import numpy as np
import pytest

from sidecar.profiles.learn import LearntReferences
from sidecar.replay.findings import Findings
from sidecar.replay.tables import _figure, show


@pytest.mark.parametrize(
    ("values", "said"),
    [([0.21, np.nan, 1.783], "1.783"), ([-8.5e-05, -0.0009], "0.000"), ([-0.004], "-0.004"), ([np.nan], "")],
)
def test_the_largest_figure_of_a_column_has_no_signed_zero(values, said):
    assert _figure(np.array(values, np.float32)) == said


@pytest.mark.parametrize(
    ("levels", "problems", "rows", "said"),
    [
        ([], 0, 1, ["1 row in", "no ticket, no page", "0 events", "no problem with the data"]),
        (["page"], 1, 2, ["2 rows in", "1 page", "0 events", "1 problem with the data"]),
        (["ticket", "event"], 2, 2, ["1 ticket", "1 event", "2 problems with the data"]),
        (["ticket", "page"], 0, 2, ["2 tickets and pages"]),
    ],
)
def test_one_of_anything_is_not_said_in_the_plural(capsys, levels, problems, rows, said):
    found = {"row": 1, "kind": "feature", "name": "x", "signal": "", "score": None}
    problem = {"row": 1, "until": None, "feature": "x", "problem": "stuck", "text": "a text"}
    head = {"rows": rows, "seconds": 1.0, "detections": [{**found, "level": level} for level in levels]}
    show({**head, "problems": [problem] * problems}, Findings(LearntReferences(), 10))
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert all(any(line == text or line.startswith(f"{text} ") for line in shown) for text in said), shown
