"""A bounded mapping."""

from sidecar.monitors.recent import Recent


def test_a_value_is_made_once_and_kept():
    recent = Recent(2, lambda key: [key])
    assert recent["a"] is recent["a"]


def test_past_the_limit_what_was_used_longest_ago_goes():
    recent = Recent(2, lambda key: [key])
    kept, _ = recent["a"], recent["b"]
    assert recent["a"] is kept
    _ = recent["c"]
    assert [key for key, _ in recent.items()] == ["a", "c"]
    assert len(recent) == 2


def test_a_discarded_value_is_made_anew():
    recent = Recent(2, lambda key: [key])
    first = recent["a"]
    recent.discard("a")
    recent.discard("nobody")
    assert recent["a"] is not first
