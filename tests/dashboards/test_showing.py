from tests.dashboards import showing
from tests.dashboards.asking import Answers, Stretch
from tests.dashboards.boards import Question

ONE = Question("board", "panel", "A", "up", False)
OTHER = Question("board", "panel", "B", "down", False)
POINT = [{"metric": {}, "points": [(0.0, 0.0)]}]


def answers(**results) -> Answers:
    known = {"one": ONE, "other": OTHER}
    return Answers(Stretch(0, 1, (0, 1)), {known[name]: result for name, result in results.items()})


def test_a_query_is_answered_when_any_demo_has_a_number_for_it():
    assert showing.unanswered([answers(one=[], other=POINT), answers(one=POINT, other=[])]) == set()
    assert showing.unanswered([answers(one=[], other=POINT), answers(one=[], other=[])]) == {ONE}


def test_a_query_that_prometheus_refuses_is_unanswered():
    refused = answers()
    refused.problems[ONE] = "parse error"

    assert showing.unanswered([refused]) == {ONE}
    assert showing.errors([refused]) == {"board / panel / A": "parse error"}
    assert showing.unexplained({ONE}) == ["board / panel / A"]


def test_what_an_instant_query_said_at_one_moment_is_not_shown_at_another():
    now = Question("board", "panel", "A", "up", True)
    said = Answers(Stretch(0, 9, (3, 9)), {now: [{"metric": {}, "points": [(3, 1.0)]}]})

    assert said.at(now, 3) and not said.at(now, 9)
