"""The patch alone: it applies to what is there, and to what is not."""

import pytest

from sidecar.admission.injection import Injection
from sidecar.admission.patch import patch, status
from sidecar.admission.planning import plan
from tests.admission.reviews import injection
from tests.helm.pods import NAMED, pod, server


@pytest.fixture(scope="module")
def described() -> Injection:
    return injection(preStopSleepSeconds=10)


def test_what_is_added_comes_last_and_nothing_is_removed(described):
    asked = NAMED["init containers and volumes"]
    operations = patch(asked, plan(asked, described), described)
    assert {operation["op"] for operation in operations} == {"add", "replace"}
    paths = [operation["path"] for operation in operations]
    assert "/spec/volumes" not in paths
    assert "/spec/initContainers" not in paths
    assert paths[-3:] == ["/spec/volumes/-", "/spec/volumes/-", "/spec/initContainers/-"]


def test_lists_that_are_not_there_are_made_first(described):
    paths = [o["path"] for o in patch(pod(), plan(pod(), described), described)]
    assert paths.index("/spec/volumes") < paths.index("/spec/volumes/-")
    assert paths.index("/spec/initContainers") < paths.index("/spec/initContainers/-")


@pytest.mark.parametrize("nothing", [None, {}])
def test_an_empty_lifecycle_gets_the_hook(described, nothing):
    asked = pod(server(lifecycle=nothing))
    paths = [o["path"] for o in patch(asked, plan(asked, described), described)]
    assert "/spec/containers/0/lifecycle" in paths


@pytest.mark.parametrize("annotations", [{}, {"a": "b"}])
def test_a_status_does_not_take_other_annotations_away(annotations):
    found = status({"metadata": {"annotations": annotations}}, "text")
    assert found == {
        "op": "add",
        "path": "/metadata/annotations/inference-sidecar.io~1status",
        "value": "text",
    }
    assert status({"metadata": {}}, "text")["value"] == {"inference-sidecar.io/status": "text"}
