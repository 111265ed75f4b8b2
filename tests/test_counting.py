import pytest

from sidecar.counting import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (1.0, "1 row"), (2, "2 rows"), (5000, "5000 rows")]
)
def test_one_is_not_said_in_the_plural(number, said):
    assert counted(number, "row") == said


def test_a_noun_may_have_a_form_of_its_own():
    assert [counted(n, "page", "tickets and pages") for n in (1, 2)] == ["1 page", "2 tickets and pages"]
