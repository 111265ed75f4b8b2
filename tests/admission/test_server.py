"""The webhook over HTTPS, as an API server meets it."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sidecar.address import Address
from sidecar.admission.cluster import Cluster
from sidecar.admission.server import MAX_BODY_BYTES, Webhook, certificate, renew, serving
from sidecar.errors import ConfigError
from tests.admission.api_server import api_server
from tests.admission.reviews import applied, body, injection, response
from tests.helm.pods import REFUSED, pod
from tests.relay.certificates import Authority, authority

STATUS = "inference-sidecar.io/status"


@asynccontextmanager
async def webhook(
    directory: Path, cluster: Cluster | None = None, **chart
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a running webhook, that trusts its certificate."""
    signer = authority(directory, "webhook ca")
    contexts = certificate(*signer.issue("inference-sidecar-webhook.inference-sidecar.svc", "tls"))
    running = Webhook(injection(**chart), cluster)
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=signer.ca))
    async with (
        serving(running, Address("127.0.0.1", 0), contexts) as port,
        aiohttp.ClientSession(f"https://localhost:{port}", connector=trusting) as client,
    ):
        yield client


async def post(client: aiohttp.ClientSession, sent: bytes):
    async with client.post(
        "/mutate?timeout=5s", data=sent, headers={"Content-Type": "application/json"}
    ) as got:
        assert got.status == 200
        assert got.content_type == "application/json"
        return response(await got.read())


async def test_a_review_is_answered_and_probes_too(tmp_path):
    async with webhook(tmp_path) as client:
        admitted = applied(pod(), await post(client, body(pod())))
        assert admitted["metadata"]["labels"]["inference-sidecar.io/injected"] == "true"
        for probe in ("/-/healthy", "/-/ready"):
            async with client.get(probe) as got:
                assert got.status == 200


async def test_many_at_once_are_all_answered(tmp_path):
    async with webhook(tmp_path) as client:
        found = await asyncio.gather(*(post(client, body(pod())) for _ in range(60)))
    assert all("patch" in one for one in found)


@pytest.mark.parametrize(
    ("sent", "status"), [(b"{", 400), (b"", 400), (b"{}", 400), (b" " * (MAX_BODY_BYTES + 1), 413)]
)
async def test_what_is_no_review_is_refused_and_the_next_one_answered(tmp_path, sent, status):
    async with webhook(tmp_path) as client:
        async with client.post("/mutate", data=sent) as got:
            assert got.status == status
        assert "patch" in await post(client, body(pod()))


async def test_who_sends_no_body_in_time_is_given_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr("sidecar.admission.server.BODY_SECONDS", 0.05)
    monkeypatch.setattr("sidecar.admission.server._SHUTDOWN_SECONDS", 0.1)

    async def endless():
        yield b"{"
        await asyncio.Event().wait()

    async with webhook(tmp_path) as client, client.post("/mutate", data=endless()) as got:
        assert got.status == 408


async def test_no_more_bodies_are_held_than_fit(tmp_path, monkeypatch):
    monkeypatch.setattr("sidecar.admission.server.BODY_SECONDS", 0.3)
    begun = asyncio.Event()

    async def endless():
        yield b"{"
        begun.set()
        await asyncio.Event().wait()

    async with webhook(tmp_path) as client:
        hangers = [asyncio.create_task(client.post("/mutate", data=endless())) for _ in range(10)]
        await begun.wait()
        await asyncio.gather(*hangers)
        assert "patch" in await post(client, body(pod()))


async def test_the_service_is_looked_up_and_what_cannot_be_done_becomes_an_event(tmp_path):
    ports = [{"port": 80, "targetPort": 8000}]
    service = {"metadata": {"name": "churn"}, "spec": {"selector": {"app": "churn"}, "ports": ports}}
    (tmp_path / "api").mkdir()
    async with api_server(tmp_path / "api") as api:
        api.services["models"] = [service]
        async with webhook(tmp_path, Cluster(api.url, api.account)) as client:
            said = applied(pod(), await post(client, body(pod())))["metadata"]["annotations"][STATUS]
            await post(client, body(pod(), namespace="elsewhere", dryRun=True))
    assert said.startswith("refused: a port swap cannot take over a targetPort that is a number")
    assert [event["message"] for event in api.events] == [said]


async def test_a_dry_run_leaves_no_event_behind(tmp_path):
    (tmp_path / "api").mkdir()
    async with (
        api_server(tmp_path / "api") as api,
        webhook(tmp_path, Cluster(api.url, api.account)) as client,
    ):
        await post(client, body(REFUSED["no_port"], dryRun=True))
    assert api.events == []


async def test_a_pod_that_does_not_ask_costs_no_question(tmp_path):
    (tmp_path / "api").mkdir()
    silent = pod()
    silent["metadata"]["labels"] = {}
    async with (
        api_server(tmp_path / "api") as api,
        webhook(tmp_path, Cluster(api.url, api.account)) as client,
    ):
        await post(client, body(silent))
    assert api.asked == []


async def test_an_api_server_that_is_away_does_not_hold_a_pod_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        (tmp_path / "account").mkdir()
        signer = authority(tmp_path / "account", "cluster")
        (tmp_path / "account" / "ca.crt").write_text(Path(signer.ca).read_text())
        (tmp_path / "account" / "token").write_text("t")
        cluster = Cluster(f"https://localhost:{silent.getsockname()[1]}", tmp_path / "account")
        async with webhook(tmp_path, cluster) as client:
            assert "patch" in await asyncio.wait_for(post(client, body(pod())), 5)


def issued(signer: Authority, directory: Path, name: str) -> None:
    """A new pair at the place of the old one, as a Secret's volume brings it."""
    cert, key = signer.issue(name, "new")
    Path(cert).replace(directory / "tls.pem")
    Path(key).replace(directory / "tls.key")


async def presented(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(found)


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tmp_path, caplog):
    signer = authority(tmp_path)
    contexts = certificate(*signer.issue("webhook", "tls"))
    async with serving(Webhook(injection()), Address("127.0.0.1", 0), contexts) as port:
        first = await presented(port)
        await asyncio.to_thread(issued, signer, tmp_path, "webhook")
        renew(contexts)
        second = await presented(port)
        (tmp_path / "tls.key").write_text("broken")
        renew(contexts)
        assert second != first
        assert await presented(port) == second
    assert "cannot be used" in caplog.text


def test_files_that_are_no_certificate_are_named(tmp_path):
    (tmp_path / "x").write_text("x")
    with pytest.raises(ConfigError, match=r"--tls-cert gone\.crt"):
        certificate("gone.crt", "gone.key")
    with pytest.raises(ConfigError, match="--tls-key"):
        certificate(str(tmp_path / "x"), str(tmp_path / "x"))


async def test_http2_is_not_offered(tmp_path):
    signer = authority(tmp_path)
    contexts = certificate(*signer.issue("webhook", "tls"))
    async with serving(Webhook(injection()), Address("127.0.0.1", 0), contexts) as port:
        context = ssl.create_default_context(cafile=signer.ca)
        for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
            context.set_alpn_protocols(offered)
            _, writer = await asyncio.open_connection("localhost", port, ssl=context)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
            writer.close()


async def test_while_draining_it_is_not_ready_and_still_healthy(tmp_path):
    found = Webhook(injection(), draining=True)
    assert (await found._ready(None)).status == 503
    assert (await found._healthy(None)).status == 200


@pytest.mark.e2e
def test_the_command_serves_until_it_is_told_to_stop(tmp_path):
    import yaml

    from tests.helm.rendering import objects

    signer = authority(tmp_path)
    cert, key = signer.issue("webhook", "tls")
    maps = [i for i in objects({"injection": {"mode": "webhook"}}) if "injection.yaml" in i.get("data", {})]
    (tmp_path / "injection.yaml").write_text(maps[0]["data"]["injection.yaml"])
    (deployment,) = [i for i in objects({"injection": {"mode": "webhook"}}) if i["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    given = {
        "--listen": "127.0.0.1:0",
        "--tls-cert": cert,
        "--tls-key": key,
        "--injection": str(tmp_path / "injection.yaml"),
    }
    # The chart's own arguments, with places of this machine.
    flags = [argument.partition("=")[0] for argument in container["args"][1:]]
    arguments = [container["args"][0], *(f"{flag}={given[flag]}" for flag in flags)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", *arguments], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert 'process=webhook msg="answering on port ' in line
    port = int(line.partition("answering on port ")[2].partition(";")[0])

    async def asked():
        trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=signer.ca))
        async with aiohttp.ClientSession(f"https://localhost:{port}", connector=trusting) as client:
            return await post(client, body(pod()))

    assert "patch" in asyncio.run(asked())
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=20)[1]
    assert process.returncode == 0, rest
    assert "models/churn-7d9: injected: port-swap" in rest
    assert json.dumps(yaml.safe_load(maps[0]["data"]["injection.yaml"])["containers"][0]["image"]) not in rest
