import yaml

from sidecar.generators.rule import Alert, Group, Record, Severity, render


def alert(**more):
    return Alert("A", "x > 1", Severity.PAGE, "s", "d", {"runbook_url": "r"}, **more)


def test_a_rule_file_says_what_was_put_in():
    text = render("about", [Group("g", "30s", "why", [Record("a:b", "sum(x)"), alert(wait="2m")])])

    assert yaml.safe_load(text) == {
        "groups": [
            {
                "name": "g",
                "interval": "30s",
                "rules": [
                    {"record": "a:b", "expr": "sum(x)"},
                    {
                        "alert": "A",
                        "expr": "x > 1",
                        "for": "2m",
                        "labels": {"severity": "page"},
                        "annotations": {"summary": "s", "description": "d", "runbook_url": "r"},
                    },
                ],
            }
        ]
    }


def test_an_expression_of_several_lines_is_written_as_it_was_laid_out():
    text = render("about", [Group("g", "30s", "why", [Record("a:b", "x\n/\ny")])])

    assert "expr: |-\n        x\n        /\n        y\n" in text


def test_comments_stand_above_what_they_explain():
    text = render("about\nmore", [Group("g", "30s", "because", [])])

    assert text.startswith("# about\n# more\ngroups:\n\n  # because\n  - name: g\n")


def test_an_alert_without_a_wait_fires_at_once():
    assert "for" not in alert().fields()


def test_hostile_text_stays_text():
    text = render("about", [Group("g", "30s", "why", [Record("a:b", 'x{y="#: {[\\"\t \'"}')])])

    assert yaml.safe_load(text)["groups"][0]["rules"][0]["expr"] == 'x{y="#: {[\\"\t \'"}'
