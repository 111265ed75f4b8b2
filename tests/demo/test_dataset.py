import csv
import json

from sidecar.demo import dataset


def test_the_data_needs_no_download_and_is_the_same_each_time():
    data = dataset.load()

    assert len(data.training) + len(data.traffic) > 2_000
    assert len(data.features) == 18
    assert dataset.load() == data


def test_traffic_is_rows_the_model_has_not_seen():
    data = dataset.load()
    training = {json.dumps(one.row) for one in data.training}

    assert not [one for one in data.traffic if json.dumps(one.row) in training]


def test_the_table_has_the_features_and_the_predictions(tmp_path):
    rows = dataset.load().training[:3]
    dataset.write_table(tmp_path / "t.csv", rows, [("sky", 0.9), ("path", 0.5), ("sky", 0.7)])
    with (tmp_path / "t.csv").open() as file:
        table = list(csv.DictReader(file))

    assert list(table[0]) == [*rows[0].row, "label", "score"]
    assert [row["label"] for row in table] == ["sky", "path", "sky"]
    assert float(table[1]["hue-mean"]) == rows[1].row["hue-mean"]
