"""Label values that traffic proposes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.metric import OTHER
from sidecar.names import MAX_LABEL_CHARACTERS, UNUSED_AFTER_SECONDS, Names, clean


def test_a_trusted_value_is_added_and_then_known_to_everyone():
    names = Names(2)
    assert names.admit("a", 0, trusted=True) == "a"
    assert names.admit("a", 1, trusted=False) == "a"


def test_an_untrusted_value_is_other_and_leaves_no_trace():
    names = Names(2)
    assert names.admit("a", 0, trusted=False) == OTHER
    assert list(names) == []


def test_past_the_limit_a_new_value_is_other():
    names = Names(2)
    assert [names.admit(v, 0, trusted=True) for v in "abc"] == ["a", "b", OTHER]


def test_a_reserved_value_has_its_place_however_full_the_set_is_and_needs_no_trust():
    names = Names(1, reserved=["kept"])
    names.admit("a", 0, trusted=True)
    assert names.admit("kept", 0, trusted=False) == "kept"


def test_a_value_unused_for_a_day_leaves_and_makes_room():
    names = Names(1)
    names.admit("old", 0, trusted=True)
    assert names.expire(UNUSED_AFTER_SECONDS) == []
    assert names.expire(UNUSED_AFTER_SECONDS + 1) == ["old"]
    assert names.admit("new", UNUSED_AFTER_SECONDS + 1, trusted=True) == "new"
    assert names.admit("old", UNUSED_AFTER_SECONDS + 1, trusted=True) == OTHER


def test_use_keeps_a_value_alive():
    names = Names(1)
    names.admit("a", 0, trusted=True)
    names.admit("a", UNUSED_AFTER_SECONDS, trusted=False)
    assert names.expire(UNUSED_AFTER_SECONDS + 1) == []


def test_two_long_values_with_the_same_beginning_stay_two():
    assert clean("x" * 200 + "a") != clean("x" * 200 + "b")


@given(st.text(alphabet=st.characters(), max_size=300))
@settings(max_examples=100)
def test_any_text_becomes_a_printable_label_of_bounded_length_that_stays_itself(text):
    label = clean(text)
    assert len(label) <= MAX_LABEL_CHARACTERS
    assert label.isprintable()
    label.encode("utf-8")
    assert clean(label) == label


def test_many_spellings_of_one_name_do_not_grow_the_memory():
    names = Names(2)
    for i in range(1_000):
        names.admit("a" + "\u200b" * (i % 50), i, trusted=True)
    assert len(list(names)) <= 2
