import pytest

from sidecar.admin import figures


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"), (0, "0 %"), (1, "100 %"), (0.5, "50.0 %"), (0.999, "99.90 %"), (0.9999, "99.990 %"),
        (0.9999999, "> 99.999 %"), (0.0000001, "< 0.001 %"), (0.0005, "0.050 %"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all_or_nothing(value, expected):
    assert figures.ratio(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0.00042, "0.42 ms"), (0.0099, "9.9 ms"), (0.0996, "100 ms"), (0.25, "250 ms"),
     (1.5, "1.5 s"), (60, "60 s")],
)  # fmt: skip
def test_a_duration_has_the_unit_people_use(value, expected):
    assert figures.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (0.01, "0.01"), (3.58, "3.6"), (99.6, "100"), (12345.6, "12,346")]
)
def test_a_rate_has_the_digits_it_deserves(value, expected):
    assert figures.rate(value) == expected


def test_how_long_it_is_up_has_one_unit():
    assert [figures.length(s) for s in (-1, 90, 600, 7200, 200_000)] == [
        "0 s",
        "90 s",
        "10 min",
        "2 h",
        "2 d",
    ]


def test_text_is_escaped_and_keeps_its_direction_to_itself():
    assert figures.text("<b>&\"'\u202e") == "<bdi>&lt;b&gt;&amp;&quot;&#x27;\u202e</bdi>"


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "–"), (-0.0004, "0.00"), (-0.006, "-0.01"), (0.408, "0.41")]
)
def test_a_score_just_below_zero_is_none(value, expected):
    """A PSI freed of its bias may be."""
    assert figures.score(value) == expected
