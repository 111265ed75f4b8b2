"""Every review is answered with "allowed", whatever is in it, and nothing of a pod is repeated."""

import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.admission.injection import Injection
from sidecar.admission.review import MAX_VALUES, UNREADABLE, NoReview, read
from tests.admission.reviews import answered, applied, body, injection, patch
from tests.helm.pods import NAMED, REFUSED, pod, server
from tests.helm.schemas import VERSIONS, exists

STATUS = "inference-sidecar.io/status"


@pytest.fixture(scope="module")
def described() -> Injection:
    return injection()


def test_a_pod_that_asks_gets_a_sidecar_and_no_warning(described):
    response = answered(body(pod()), described)
    admitted = applied(pod(), response)
    assert [c["name"] for c in admitted["spec"]["initContainers"]] == ["inference-sidecar"]
    assert "warnings" not in response


def test_a_dry_run_gives_the_same_pod(described):
    assert answered(body(pod(), dryRun=True), described) == answered(body(pod()), described)


def test_what_cannot_be_done_is_said_in_the_annotation_and_in_a_warning(described):
    asked = REFUSED["host_network"]
    response = answered(body(asked), described)
    admitted = applied(asked, response)
    assert admitted["spec"] == asked["spec"]
    assert response["warnings"] == [f"inference-sidecar: {admitted['metadata']['annotations'][STATUS]}"]


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "UPDATE", "oldObject": pod()},
        {"operation": "DELETE", "object": None, "oldObject": pod()},
        {"subResource": "ephemeralcontainers"},
        {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}},
        {"resource": {"group": "", "version": "v1", "resource": "replicationcontrollers"}},
        {"namespace": "kube-system"},
        {"namespace": "inference-sidecar"},
    ],
    ids=lambda changed: " ".join(map(str, changed.values()))[:40],
)
def test_whatever_is_not_the_creation_of_a_pod_elsewhere_is_left_alone(described, changed):
    assert answered(body(pod(), **changed), described) == {"uid": read(body(pod())).uid, "allowed": True}


@pytest.mark.parametrize("label", ["false", "yes", None])
def test_a_pod_has_to_ask(described, label):
    silent = pod()
    silent["metadata"]["labels"] = {"inference-sidecar.io/inject": label} if label else {}
    assert patch(answered(body(silent), described)) == []


def test_a_pod_without_labels_is_left_alone(described):
    assert patch(answered(body({"metadata": {"name": "x"}, "spec": {}}), described)) == []


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_a_sidecar_that_is_there_is_enough(described, kind):
    by_hand = pod(server())
    by_hand["spec"].setdefault(kind, []).append({"name": "inference-sidecar", "image": "mine"})
    assert patch(answered(body(by_hand), described)) == []


def asking(spec):
    return {"metadata": {"name": "odd", "labels": {"inference-sidecar.io/inject": "true"}}, "spec": spec}


@pytest.mark.parametrize(
    "odd",
    [
        asking(None),
        asking({}),
        asking({"containers": []}),
        asking({"containers": "model"}),
        asking({"containers": [None]}),
        asking({"containers": [{"name": "model", "ports": [{}]}]}),
        asking({"containers": [{"name": "model", "ports": [{"containerPort": None, "name": "http"}]}]}),
        asking({"containers": [{"name": "model", "ports": 5}]}),
    ],
)
def test_a_pod_that_cannot_be_read_starts_unchanged_and_says_so(described, odd):
    response = answered(body(odd), described)
    admitted = applied(odd, response)
    assert admitted["spec"] == odd["spec"]
    assert admitted["metadata"]["annotations"][STATUS] == UNREADABLE
    assert response["warnings"] == [f"inference-sidecar: {UNREADABLE}"]


@pytest.mark.parametrize(
    "wrong",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"request": 5}', b'{"request": {"uid": 5}}', b"\xff"],
)
def test_what_has_no_uid_cannot_be_answered(wrong):
    with pytest.raises(NoReview):
        read(wrong)


def test_a_body_of_nothing_but_values_is_refused_before_it_takes_memory():
    for value in (b"{}", b"0", b"[]"):
        many = b",".join([value] * (MAX_VALUES + 1))
        with pytest.raises(NoReview, match="more values than any pod"):
            read(b'{"request": {"uid": "1", "object": [' + many + b"]}}")


def test_a_review_nested_beyond_reason_is_refused_and_not_followed():
    with pytest.raises(NoReview):
        read(b"[" * 100_000)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "ports", "containers", "containerPort", "initContainers", "livenessProbe"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(spec=_JSON, annotations=_JSON)
def test_no_pod_however_odd_is_kept_from_starting(spec, annotations):
    odd = asking(spec)
    odd["metadata"]["annotations"] = annotations
    response = answered(body(odd), injection())
    assert response["allowed"] is True
    applied(odd, response)


def test_nothing_of_a_pod_is_logged_or_repeated(described, caplog):
    secret = pod(server(env=[{"name": "TOKEN", "value": "hunter2"}], ports="hunter2"))
    with caplog.at_level(logging.DEBUG):
        response = answered(body(secret), described)
    from sidecar.logs import _Logfmt

    lines = [_Logfmt("webhook").format(record) for record in caplog.records]
    assert lines
    assert "hunter2" not in "".join(lines) + json.dumps(response)


@pytest.mark.parametrize("version", VERSIONS)
def test_pods_are_valid_in_every_version_that_the_chart_is_for(described, version):
    for asked in NAMED.values():
        admitted = applied(asked, answered(body(asked), described))
        assert exists(admitted, version)
