"""Words of any script, as hashes; a vocabulary of those that many have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import words as module
from sidecar.words import LOOKED_AT, MAX_DISTINCT, MAX_WORDS, MIN_TEXTS, TEACHING, Vocabulary, unknown, words


def counted(*texts: str) -> list[int]:
    """How many words each text has."""
    _, rows = words(texts)
    return np.bincount(rows, minlength=len(texts)).tolist()


def same(one: str, other: str) -> bool:
    return words([one])[0].tolist() == words([other])[0].tolist()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0), ("the parcel came", 3), ("  the,parcel!came\n", 3), ("12 345", 0), ("don't", 2), ("a1b", 2),
        ("пришёл поздно", 2), ("ein Päckchen", 2), ("हिन्दी भाषा", 2), ("我是学生", 4), ("ありがとう", 5),
        ("สวัสดี", 6), ("😀😀", 0), ("𠀀𠀁", 2), ("\ud800x", 1),
    ],
)  # fmt: skip
def test_words_are_runs_of_letters_or_characters_where_there_are_no_spaces(text: str, count: int):
    assert counted(text) == [count]


def test_words_are_the_same_in_either_case_and_wherever_they_stand():
    assert same("Parcel ПРИШЁЛ", "parcel пришёл")
    assert words(["two parcel"])[0][1] == words(["parcel"])[0][0]
    assert not same("parcel", "parcels")
    assert not same("ab", "ba")


def test_a_character_without_spaces_is_taken_with_the_next():
    first, second = words(["学生", "学者"])[0].reshape(2, 2)[:, 0]
    assert first != second


def test_words_belong_to_their_texts_and_only_the_beginning_counts():
    assert counted("a b", "", "c", "d e f") == [2, 0, 1, 3]
    assert counted("x " * LOOKED_AT) == [LOOKED_AT // 2]
    assert counted("x" * 10_000) == [1]


def test_hashes_of_many_words_hardly_collide():
    assert (
        len(
            set(
                words([f"{a}{b}{c}" for a in "abcdefghijkl" for b in "mnopqrst" for c in "uvwxyz"])[
                    0
                ].tolist()
            )
        )
        == 576
    )


def taught(texts: list[str], portion: int = 300) -> Vocabulary:
    vocabulary = Vocabulary()
    for at in range(0, len(texts), portion):
        vocabulary.learn(texts[at : at + portion])
    return vocabulary


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def test_a_vocabulary_is_known_after_enough_texts_and_holds_what_several_have():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list(LETTERS), 8)) for _ in range(TEACHING)]
    texts[5] += " secret" * 50  # often, but in one text
    assert taught(texts[:-1]).known == b""

    known = taught(texts).known
    assert unknown(["a b c", "a secret", "", "12"], known).tolist() == [0, 0.5, 0, 0]
    hashes = np.frombuffer(known, "<u4")
    assert len(hashes) == 26
    assert (hashes[1:] > hashes[:-1]).all()
    assert words(["secret"])[0][0] not in hashes


def test_a_word_in_fewer_texts_than_it_takes_is_not_held():
    texts = [" ".join(LETTERS)] * TEACHING
    for at in range(MIN_TEXTS - 1):
        texts[at] += " rare"
    for at in range(MIN_TEXTS):
        texts[at] += " met"
    assert unknown(["rare met"], taught(texts).known).tolist() == [0.5]


def test_portions_do_not_matter_and_later_texts_teach_nothing():
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list(LETTERS[:6]), 3)) + " x y" for _ in range(TEACHING)]
    vocabulary = taught(texts, 1_000)
    assert vocabulary.known == taught(texts, 500).known
    vocabulary.learn(["new"] * 5_000)
    assert unknown(["new"], vocabulary.known).tolist() == [1]


def test_it_is_bounded_whatever_comes():
    rng = np.random.default_rng(2)
    vocabulary = Vocabulary()
    for _ in range(TEACHING // 100):
        vocabulary.learn(
            [" ".join("".join(rng.choice(list(LETTERS), 4)) for _ in range(40)) for _ in range(99)]
        )
        assert len(vocabulary._hashes) <= MAX_DISTINCT
    vocabulary.learn(
        [" ".join(f"{a}{b}{c}" for b in LETTERS for c in LETTERS)[:LOOKED_AT] for a in LETTERS] * 99
    )
    assert len(vocabulary.known) <= 4 * MAX_WORDS
    assert len(vocabulary._hashes) == 0


def test_ids_make_no_vocabulary():
    assert taught([f"id{i}" for i in range(TEACHING)]).known == b""


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_text_has_words_of_its_own(texts: list[str]):
    hashes, rows = words(texts)
    assert len(hashes) == len(rows)
    apart = [words([text])[0].tolist() for text in texts]
    assert [hashes[rows == at].tolist() for at in range(len(texts))] == apart
    share = unknown(texts, np.array([1, 2], "<u4").tobytes())
    assert ((share >= 0) & (share <= 1)).all()


def test_the_tables_cover_the_basic_plane():
    kinds, lower = module._tables()
    assert len(kinds) == len(lower) == 65_536
