import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.trace_context import TraceContext, trace_context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True), ("02", False)])
def test_the_ids_and_the_callers_decision_are_read(flags, sampled):
    found = trace_context({"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})

    assert found == TraceContext(TRACE, SPAN, sampled)


def test_a_later_version_may_say_more():
    assert trace_context({"traceparent": f"01-{TRACE}-{SPAN}-01-more"})


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_almost_right_is_not_there(header):
    assert trace_context({"traceparent": header}) is None
    assert trace_context({}) is None


@given(st.text(max_size=80))
def test_no_header_is_a_problem(header):
    trace_context({"traceparent": header})
