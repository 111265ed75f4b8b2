"""What Services add to what a pod says of itself; the rest is held to the policy in tests/helm."""

import pytest

from sidecar.admission.interception import REFUSALS, Interception
from sidecar.admission.planning import plan
from tests.admission.reviews import injection
from tests.helm.pods import pod, port, server

REDIRECT = {"redirect": {"enabled": True}}
TWO = server(port(9090, "metrics"), port())


@pytest.mark.parametrize(
    ("asked", "targets", "target", "how"),
    [
        # Nothing to go by: the first port's name.
        (pod(), [], "http", Interception.PORT_SWAP),
        (pod(), ["http"], "http", Interception.PORT_SWAP),
        # The number goes to the model whatever the pod declares.
        (pod(), [8000], "8000", Interception.REDIRECT),
        (pod(), ["http", 8000], "8000", Interception.REDIRECT),
        # What the Service leads to, not what is declared first.
        (pod(TWO), ["http"], "http", Interception.PORT_SWAP),
        (pod(TWO), [8000], "8000", Interception.REDIRECT),
        # Ports of other containers say nothing of the model's.
        (pod(), ["web", 80], "http", Interception.PORT_SWAP),
        # Nothing is declared, but one number is asked for.
        (pod({"name": "model", "image": "churn"}), [8000], "8000", Interception.REDIRECT),
        # What the pod says counts.
        (pod(annotations={"target-port": "http"}), [8000], "http", Interception.PORT_SWAP),
    ],
)
def test_what_services_say_decides_where_the_pod_says_nothing(asked, targets, target, how):
    found = plan(asked, injection(**REDIRECT), targets)
    assert (found.target, found.how) == (target, how)


def test_a_number_that_a_service_gives_is_refused_where_redirect_is_not_allowed():
    found = plan(pod(), injection(), [8000])
    assert found.status == f"refused: {REFUSALS['number_needs_redirect']}"
    assert found.warnings == [found.status]


def test_a_service_that_goes_past_the_sidecar_is_told_of():
    found = plan(pod(annotations={"target-port": "http"}), injection(), ["http", 8000])
    assert found.how is Interception.PORT_SWAP
    assert found.warnings == [
        "a Service gives the number 8000 as targetPort, which goes past the sidecar; name the port"
    ]


def test_what_went_as_asked_warns_of_nothing_and_a_fallback_says_so():
    assert plan(pod(), injection(), ["http"]).warnings == []
    fallen = plan(pod(annotations={"target-port": "8000"}), injection(**REDIRECT))
    assert fallen.warnings == [fallen.status]
    asked = pod(annotations={"target-port": "8000", "interception": "redirect"})
    assert plan(asked, injection(**REDIRECT)).warnings == []
