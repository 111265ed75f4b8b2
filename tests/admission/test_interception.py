"""Every combination of injection, Service and version has an answer, and the answers are these."""

from itertools import product

import pytest

from sidecar.admission.interception import (
    REFUSALS,
    Interception,
    Mode,
    TargetPort,
    Verdict,
    decide,
)

EVERYTHING = list(product(Mode, Interception, TargetPort, range(28, 38), (False, True)))


@pytest.mark.parametrize("minor", range(36, 40))
def test_a_policy_takes_over_a_named_port_without_any_privilege(minor):
    decision = decide(
        Mode.POLICY, Interception.PORT_SWAP, TargetPort.NAMED, minor=minor, redirect_enabled=False
    )
    assert (decision.verdict, decision.how) == (Verdict.WORKS, Interception.PORT_SWAP)


@pytest.mark.parametrize("minor", range(29, 36))
def test_before_1_36_there_are_no_policies_and_the_webhook_does_the_same(minor):
    asked = (Interception.PORT_SWAP, TargetPort.NAMED)
    refused = decide(Mode.POLICY, *asked, minor=minor, redirect_enabled=True)
    assert (refused.verdict, refused.message) == (Verdict.REFUSES, REFUSALS["policy_needs_1_36"])
    assert decide(Mode.WEBHOOK, *asked, minor=minor, redirect_enabled=True).verdict is Verdict.WORKS


@pytest.mark.parametrize("mode", [Mode.POLICY, Mode.WEBHOOK])
def test_a_number_falls_back_to_redirect_only_where_that_is_allowed(mode):
    asked = (mode, Interception.PORT_SWAP, TargetPort.NUMERIC)
    allowed = decide(*asked, minor=36, redirect_enabled=True)
    assert (allowed.verdict, allowed.how) == (Verdict.FALLS_BACK, Interception.REDIRECT)
    refused = decide(*asked, minor=36, redirect_enabled=False)
    assert (refused.verdict, refused.message) == (Verdict.REFUSES, REFUSALS["number_needs_redirect"])


@pytest.mark.parametrize("target", TargetPort)
def test_redirect_that_is_not_allowed_is_refused_and_never_replaced(target):
    decision = decide(Mode.WEBHOOK, Interception.REDIRECT, target, minor=36, redirect_enabled=False)
    assert (decision.verdict, decision.message) == (Verdict.REFUSES, REFUSALS["redirect_not_enabled"])


@pytest.mark.parametrize(("mode", "asked", "target", "minor", "enabled"), EVERYTHING)
def test_every_answer_does_something_or_says_why_not(mode, asked, target, minor, enabled):
    decision = decide(mode, asked, target, minor=minor, redirect_enabled=enabled)
    assert (decision.how is None) == (decision.verdict is Verdict.REFUSES)
    assert decision.message or decision.verdict is not Verdict.REFUSES
    if decision.verdict is Verdict.FALLS_BACK:
        assert decision.how is Interception.REDIRECT is not asked
    if minor < 29:
        assert decision.message == REFUSALS["needs_1_29"]


@pytest.mark.parametrize(("asked", "target"), product(Interception, TargetPort))
def test_in_a_chart_of_ones_own_everything_works_and_the_message_says_how(asked, target):
    decision = decide(Mode.NONE, asked, target, minor=29, redirect_enabled=False)
    assert (decision.verdict, decision.how) == (Verdict.WORKS, asked)
    assert decision.message


def test_refusals_fit_an_annotation_and_a_line():
    assert all(len(sentence) < 200 and "\n" not in sentence for sentence in REFUSALS.values())
