"""A demo in which nothing goes wrong."""

from tests.e2e.demos import demo


def test_without_an_incident_there_is_no_detection_and_no_alert(programs):
    code, summary, told = demo("--seconds", "30", "--no-incident")

    assert code == 0, told
    assert summary["phases"] == []
    assert summary["alerts"] == []
    assert summary["requests"]["failed"] == 0
    assert summary["requests"]["observed"] == summary["requests"]["sent"]
