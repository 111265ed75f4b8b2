"""Labels that came before their prediction."""

from sidecar.monitors.labels import waiting
from sidecar.monitors.labels.values import value_of
from sidecar.monitors.labels.waiting import Given, Waiting


def label(key, at=0):
    return Given(at, (value_of(1),), key)


def test_a_label_meets_its_prediction_once():
    early = Waiting(60.0)
    assert early.add(label(7), 0.0)
    assert early.come([1, 7]) == [label(7)]
    assert early.come([7]) == []
    assert (len(early), list(early.expire(1e9))) == (0, [])


def test_it_waits_no_longer_than_it_may():
    early = Waiting(60.0)
    early.add(label(7), 0.0)
    early.add(label(8), 30.0)
    assert list(early.expire(60.0)) == []
    assert list(early.expire(61.0)) == [label(7)]
    assert early.come([7, 8]) == [label(8)]


def test_what_finds_no_room_or_has_no_id_does_not_wait(monkeypatch):
    monkeypatch.setattr(waiting, "LIMIT", 3)
    early = Waiting(60.0)
    assert not early.add(label(None), 0.0)
    assert [early.add(label(key), 0.0) for key in range(5)] == [True, True, True, False, False]
    assert not Waiting(0.0).add(label(7), 0.0)


def test_labels_that_are_met_soon_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr(waiting, "LIMIT", 3)
    early = Waiting(3600.0)
    for at in range(1000):
        assert early.add(label(at), float(at))
        early.come([at])
        assert len(early._order) <= 2 * waiting.LIMIT + 1
