"""Every query of every dashboard, asked of a real Prometheus after the demos."""

from sidecar.demo.scenario import MINIMUM_SECONDS
from tests.dashboards import boards, playing, showing


async def test_every_query_of_every_dashboard_has_an_answer_after_the_demos(programs):
    played = await playing.play_all(MINIMUM_SECONDS, programs, together=True)
    answers = [answer for _, answer in played.values()]
    asked = {question for board in boards.load().values() for question in boards.questions(board)}
    missing = showing.unanswered(answers)

    assert showing.errors(answers) == {}
    assert set().union(*(answer.results for answer in answers)) == asked
    assert showing.unexplained(missing) == []
    assert len(showing.NOTHING_TO_SHOW) <= showing.SHARE_WITHOUT * len(asked)
    # What was asked of them was true: nothing got lost on the way, and every phase was seen.
    for name, (report, _) in played.items():
        assert report.accounts.sent == report.accounts.observed > 0, name
        assert [f.name for f in report.findings if f.detected_at is None] == [], name


def test_no_reason_is_given_for_a_query_that_is_gone():
    names = {q.name for board in boards.load().values() for q in boards.questions(board)}

    assert set(showing.NOTHING_TO_SHOW) <= names
