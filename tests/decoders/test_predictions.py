import pytest

from sidecar.decoders import columns, predictions
from tests.decoders.reading import table


def test_a_list_inside_an_object_is_its_scores():
    found = table(
        predictions.of_values([{"score": [0.1, 0.9], "label": 1}, {"score": [0.7, 0.3], "label": 0}])
    )
    assert found == {"score[0]": [0.1, 0.7], "score[1]": [0.9, 0.3], "label": [1, 0]}


def test_an_object_inside_an_object_is_no_output():
    assert table(predictions.of_values([{"label": 1, "image": {"b64": "AA"}}])) == {"label": [1]}


def test_a_name_met_twice_is_there_once():
    assert table(predictions.of_values([{"a": [1, 2], "a[1]": 3}])) == {"a[0]": [1], "a[1]": [3]}


@pytest.mark.parametrize("values", [[[0.5] * 5_000], [{str(i): i for i in range(columns.MAX_COLUMNS)}]])
def test_outputs_are_no_more_than_the_limit(values):
    assert len(predictions.of_values(values)) <= columns.MAX_COLUMNS


def test_one_row_of_scores_is_one_output_each():
    assert table(predictions.of_row([0.1, 0.9], "p")) == {"p[0]": [0.1], "p[1]": [0.9]}
    assert predictions.of_row([]) == []
