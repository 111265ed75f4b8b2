"""What is asked of the API server is asked seldom, and never more than a luxury."""

import pytest

from sidecar.admission.cluster import EVENTS_A_MINUTE, FRESH_SECONDS, QUIET_SECONDS, REST_SECONDS, Cluster
from tests.admission.api_server import api_server
from tests.helm.pods import pod

SERVICE = {"metadata": {"name": "churn"}, "spec": {"selector": {"app": "churn"}, "ports": [{"port": 80}]}}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def owned(name="churn-7d9"):
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "u-1", "controller": True}
    asked = pod()
    asked["metadata"] = {**asked["metadata"], "ownerReferences": [owner]}
    return asked


async def test_services_are_listed_with_the_token_of_now_and_kept_for_two_seconds(tmp_path):
    clock = Clock()
    async with api_server(tmp_path) as api, Cluster(api.url, api.account, clock) as cluster:
        api.services["models"] = [SERVICE]
        assert await cluster.services("models") == [SERVICE]
        assert await cluster.services("models") == [SERVICE]
        assert await cluster.services("other") == []
        assert api.asked == [
            "GET /api/v1/namespaces/models/services",
            "GET /api/v1/namespaces/other/services",
        ]
        (api.account / "token").write_text("second\n")
        clock.now += FRESH_SECONDS
        await cluster.services("models")
    assert api.tokens == ["Bearer first", "Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"{}"),
        (500, b"x"),
        (200, b"no json"),
        (200, b"[]"),
        (200, b'{"items": 5}'),
        (200, b" " * 9_000_000),
    ],
    ids=["forbidden", "failing", "no JSON", "a list", "no items", "endless"],
)
async def test_what_does_not_answer_well_counts_as_not_asked(tmp_path, status, body):
    async with api_server(tmp_path) as api, Cluster(api.url, api.account) as cluster:
        api.status, api.body = status, body
        assert await cluster.services("models") is None


async def test_while_it_does_not_answer_pods_do_not_wait_for_it_one_after_the_other(tmp_path):
    clock = Clock()
    async with api_server(tmp_path) as api, Cluster(api.url, api.account, clock) as cluster:
        api.status = 503
        assert [await cluster.services("models") for _ in range(3)] == [None] * 3
        assert len(api.asked) == 1
        clock.now += REST_SECONDS
        api.status = 200
        assert await cluster.services("models") == []


async def test_nobody_there_and_no_token_count_as_not_asked_and_are_logged_once(tmp_path, caplog):
    async with api_server(tmp_path) as api:
        pass
    clock = Clock()
    async with Cluster(api.url, api.account, clock) as cluster:
        assert await cluster.services("models") is None
        clock.now += REST_SECONDS
        assert await cluster.services("models") is None
        (api.account / "token").unlink()
        clock.now += REST_SECONDS
        assert await cluster.services("models") is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize("namespace", ["", "..", "a/../b", "a?b", "A", "x" * 64])
async def test_a_namespace_that_is_none_is_never_part_of_a_path(tmp_path, namespace):
    async with api_server(tmp_path) as api, Cluster(api.url, api.account) as cluster:
        assert await cluster.services(namespace) is None
        cluster.tell(owned(), namespace, "refused")
    assert api.asked == []


async def test_an_event_goes_to_whoever_creates_the_pod_once_in_five_minutes(tmp_path):
    clock = Clock()
    async with api_server(tmp_path) as api, Cluster(api.url, api.account, clock) as cluster:
        cluster.tell(owned(), "models", "refused: because")
        cluster.tell(owned(), "models", "refused: because")
        clock.now += QUIET_SECONDS
        cluster.tell(owned(), "models", "refused: because")
    assert len(api.events) == 2
    event = api.events[0]
    assert event["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "churn-7d9",
        "uid": "u-1",
        "namespace": "models",
    }
    assert (event["type"], event["message"]) == ("Warning", "refused: because")


async def test_an_event_is_one_for_kubernetes_too(tmp_path):
    from tests.helm.schemas import exists

    async with api_server(tmp_path) as api, Cluster(api.url, api.account) as cluster:
        cluster.tell(pod(), "models", "refused: because")
    (event,) = api.events
    assert event["involvedObject"]["kind"] == "Pod"
    # A generated name is filled in before it is stored; the schema asks for one.
    event["metadata"]["name"] = "x"
    assert exists(event, "1.36")


async def test_a_pod_without_owner_and_name_has_nobody_to_tell(tmp_path):
    nameless = pod()
    nameless["metadata"] = {"generateName": "churn-"}
    async with api_server(tmp_path) as api, Cluster(api.url, api.account) as cluster:
        cluster.tell(nameless, "models", "refused: because")
        cluster.tell({"metadata": 5}, "models", "refused: because")
    assert api.asked == []


async def test_a_cluster_full_of_refusals_is_not_flooded_with_events(tmp_path):
    async with api_server(tmp_path) as api, Cluster(api.url, api.account, Clock()) as cluster:
        for number in range(EVENTS_A_MINUTE * 3):
            cluster.tell(owned(f"churn-{number}"), "models", "refused: because")
    assert 0 < len(api.events) <= EVENTS_A_MINUTE


def test_outside_of_kubernetes_nobody_is_asked():
    assert Cluster.of_this_pod({}) is None
    assert (
        Cluster.of_this_pod({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}) is None
    )
