import pytest

from sidecar.exporters.sampling import Sampler, sampler
from sidecar.trace_context import TraceContext

LOW, HIGH = f"{1:032x}", "f" * 32
RECORDED, IGNORED = TraceContext(HIGH, "1" * 16, True), TraceContext(LOW, "1" * 16, False)


def test_without_a_ratio_or_a_variable_there_are_no_spans():
    assert sampler({}) == (None, [])
    assert sampler({"OTEL_TRACES_SAMPLER": "always_off"}) == (None, [])


def test_the_callers_decision_stands_whatever_the_ratio():
    for ratio in (0.0, 0.5, 1.0):
        assert Sampler(ratio).samples(RECORDED, HIGH)
        assert not Sampler(ratio).samples(IGNORED, LOW)


def test_without_a_caller_the_share_decides_by_the_trace():
    assert Sampler(0.5).samples(None, LOW)
    assert not Sampler(0.5).samples(None, HIGH)
    assert Sampler(1.0).samples(None, HIGH)
    assert not Sampler(0.0).samples(None, f"{2**64:032x}")


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("always_on", "", Sampler(1.0, False)),
        ("traceidratio", "0.25", Sampler(0.25, False)),
        ("parentbased_always_on", "", Sampler(1.0)),
        ("parentbased_always_off", "", Sampler(0.0)),
        ("ParentBased_TraceIdRatio", "0.25", Sampler(0.25)),
        ("parentbased_traceidratio", "", Sampler(1.0)),
    ],
)
def test_the_usual_variables_choose_the_sampler(name, argument, expected):
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}

    assert sampler(environ) == (expected, [])


def test_our_configuration_wins_over_the_variables():
    assert sampler({"OTEL_TRACES_SAMPLER": "always_on"}, 0.1) == (Sampler(0.1), [])


def test_a_sampler_nobody_knows_makes_no_spans_and_is_reported():
    found, problems = sampler({"OTEL_TRACES_SAMPLER": "xray"})

    assert found is None
    assert len(problems) == 1


def test_a_share_that_is_none_is_reported():
    found, problems = sampler({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"})

    assert found == Sampler(1.0, False)
    assert len(problems) == 1
