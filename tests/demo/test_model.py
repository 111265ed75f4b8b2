import pytest

from sidecar.demo import dataset, model


@pytest.fixture(scope="module")
def data():
    return dataset.load()


@pytest.fixture(scope="module")
def classifier(data):
    return model.train(data.training)


def test_it_is_right_for_most_rows_it_has_not_seen(data, classifier):
    right = sum(classifier.predict(one.row)[0] == one.label for one in data.traffic)

    assert right / len(data.traffic) > 0.8


def test_it_answers_when_features_are_null(data, classifier):
    row = dict.fromkeys(data.features)
    label, score = classifier.predict(row)

    assert label in {one.label for one in data.training}
    assert 0 < score <= 1


def test_predicting_does_not_change_it(data, classifier):
    row = data.traffic[0].row

    assert classifier.predict(row) == classifier.predict(row)


def test_the_same_rows_give_the_same_model(data, classifier):
    again = model.train(data.training)

    assert [again.predict(one.row) for one in data.traffic[:50]] == [
        classifier.predict(one.row) for one in data.traffic[:50]
    ]
