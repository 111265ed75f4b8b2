"""TLS ended at the relay, towards clients and towards the model server."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT, Kind
from sidecar.relay.listener import Listener
from sidecar.relay.tls import ALPN, ClientTls, Contexts, ServerTls, TlsSocket
from sidecar.relay.upstream import Upstream
from tests.relay.certificates import Authority, authority
from tests.relay.conftest import Handler, Relay
from tests.relay.test_pair import cut, echo, watching


@pytest.fixture
def issuer(tmp_path: Path) -> Authority:
    return authority(tmp_path)


def with_tls(relay: Relay, server: ServerTls | None, client: ClientTls | None = None) -> Contexts:
    contexts = Contexts(server, client)
    relay.listener = Listener(relay.loop, 1, relay.tee, relay.counters, 2.0, contexts)
    return contexts


def trusting(issuer: Authority, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=issuer.ca)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def test_the_observer_reads_what_tls_hid(relay: Relay, issuer: Authority) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer), server_hostname="sidecar"
    )
    writer.write(b"secret")
    assert await reader.readexactly(6) == b"secret"
    writer.close()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert relay.observer.bytes_of(FROM_CLIENT) == b"secret"


async def test_the_end_of_either_side_ends_both(relay: Relay, issuer: Authority) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar")))

    async def says_and_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"all there is")
        writer.close()

    host, port = await relay.in_front_of_handler(says_and_ends)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer), server_hostname="sidecar"
    )
    assert await reader.read() == b"all there is"
    writer.close()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))


@pytest.mark.parametrize(
    ("offered", "agreed"), [(("h2", "http/1.1"), "http/1.1"), (("h2",), "h2"), (("http/1.1",), "http/1.1")]
)
async def test_a_client_agrees_on_what_every_server_behind_can_do(
    relay: Relay, issuer: Authority, offered: tuple[str, ...], agreed: str
) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    _, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer, *offered), server_hostname="sidecar"
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
    writer.close()


@pytest.mark.parametrize("agreed", ALPN)
async def test_what_the_client_agreed_on_is_asked_of_the_model_server(
    relay: Relay, issuer: Authority, agreed: str
) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar")), ClientTls(ca=issuer.ca, server_name="model"))
    asked = asyncio.get_running_loop().create_future()

    async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set_result(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await echo(reader, writer)

    behind = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    behind.load_cert_chain(*issuer.issue("model"))
    behind.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(model, "127.0.0.1", 0, ssl=behind)
    where = server.sockets[0].getsockname()
    host, port = await relay.in_front_of(Upstream("model", *where))
    reader, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer, agreed), server_hostname="sidecar"
    )
    writer.write(b"through two")
    assert await reader.readexactly(11) == b"through two"
    assert await asked == agreed
    writer.close()
    server.close()


async def test_a_model_server_with_a_wrong_certificate_is_not_trusted(
    relay: Relay, issuer: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = authority(tmp_path / "other")
    with_tls(relay, None, ClientTls(ca=issuer.ca, server_name="model"))
    behind = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    behind.load_cert_chain(*stranger.issue("model"))
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=behind)
    where = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(Upstream("model", *where)))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"the TLS handshake failed" in answer
    assert relay.counters.connect_failures["tls"] == 1
    writer.close()
    server.close()


@pytest.mark.parametrize("verify", [True, False])
async def test_a_model_server_without_a_name_needs_one_to_be_verified(
    relay: Relay, issuer: Authority, tmp_path: Path, verify: bool
) -> None:
    with_tls(relay, None, ClientTls(ca=issuer.ca, verify=verify))
    behind = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    behind.load_cert_chain(*issuer.issue("model"))
    path = str(tmp_path / "model.sock")
    server = await asyncio.start_unix_server(echo, path, ssl=behind)
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(Upstream("model", path=path)))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    answer = await reader.read(1000)
    assert (b"server_name" in answer, answer.startswith(b"GET ")) == (verify, not verify)
    writer.close()
    server.close()


async def first_answer(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """The first byte echoed; nothing when the connection is refused, however that shows."""
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname="sidecar")
        writer.write(b"x")
        found = await reader.read(1)
        writer.close()
        return found
    except (ssl.SSLError, ConnectionError):
        return b""


async def test_clients_without_the_certificate_asked_for_are_refused(relay: Relay, issuer: Authority) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar"), client_ca=issuer.ca))
    host, port = await relay.in_front_of_handler(echo)
    assert await first_answer(host, port, trusting(issuer)) == b""
    known = trusting(issuer)
    known.load_cert_chain(*issuer.issue("client"))
    assert await first_answer(host, port, known) == b"x"


async def test_a_new_certificate_is_used_and_standing_connections_are_kept(
    relay: Relay, issuer: Authority
) -> None:
    contexts = with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer), server_hostname="sidecar"
    )
    before = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    assert not contexts.renew()
    cert, key = issuer.issue("sidecar")
    later = os.stat(cert).st_mtime + 5
    os.utime(cert, (later, later))
    assert contexts.renew()
    _, second = await asyncio.open_connection(host, port, ssl=trusting(issuer), server_hostname="sidecar")
    assert second.get_extra_info("ssl_object").getpeercert()["serialNumber"] != before
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    writer.close()
    second.close()
    assert Path(key).exists()


async def test_a_broken_new_certificate_changes_nothing_and_is_complained_of_once(
    relay: Relay, issuer: Authority
) -> None:
    contexts = with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    Path(issuer.directory / "sidecar.pem").write_text("nonsense")
    os.utime(issuer.directory / "sidecar.pem", (1, 1))
    with pytest.raises(OSError):
        contexts.renew()
    assert not contexts.renew()
    _, writer = await asyncio.open_connection(host, port, ssl=trusting(issuer), server_hostname="sidecar")
    writer.close()


async def test_plain_bytes_at_a_tls_port_are_dropped_and_harm_nobody(relay: Relay, issuer: Authority) -> None:
    with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.gather(reader.read(), return_exceptions=True)
    writer.close()
    _, second = await asyncio.open_connection(host, port, ssl=trusting(issuer), server_hostname="sidecar")
    second.close()


async def both_ends_in_tls(relay: Relay, issuer: Authority, handler: Handler) -> tuple[str, int]:
    """TLS towards the client and towards a model server that runs `handler`."""
    with_tls(relay, ServerTls(*issuer.issue("sidecar")), ClientTls(ca=issuer.ca, server_name="model"))
    behind = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    behind.load_cert_chain(*issuer.issue("model"))
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=behind)
    return await relay.in_front_of(Upstream("model", *server.sockets[0].getsockname()))


async def test_a_large_body_comes_whole_through_two_tls_connections_and_slow_readers(
    relay: Relay, issuer: Authority
) -> None:
    host, port = await both_ends_in_tls(relay, issuer, echo)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=trusting(issuer), server_hostname="sidecar", limit=1024
    )
    sent = os.urandom(6_000_001)

    async def send() -> None:
        for at in range(0, len(sent), 300_007):
            writer.write(sent[at : at + 300_007])
            await writer.drain()

    async with asyncio.timeout(60):
        _, heard = await asyncio.gather(send(), reader.readexactly(len(sent)))
    assert heard == sent
    assert relay.counters.bytes == [len(sent), len(sent)]
    writer.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=5))
async def test_any_bytes_in_any_pieces_come_through_tls_as_they_went(
    relay: Relay, issuer: Authority, pieces: list[bytes]
) -> None:
    if not relay.address[1]:
        await both_ends_in_tls(relay, issuer, echo)
    reader, writer = await asyncio.open_connection(
        *relay.address, ssl=trusting(issuer), server_hostname="sidecar"
    )
    for piece in pieces:
        writer.write(piece)
    assert await reader.readexactly(sum(map(len, pieces))) == b"".join(pieces)
    writer.close()


async def test_a_reset_goes_through_tls_as_a_reset(relay: Relay, issuer: Authority) -> None:
    seen = asyncio.get_running_loop().create_future()
    host, port = await both_ends_in_tls(relay, issuer, watching(seen))
    _, writer = await asyncio.open_connection(host, port, ssl=trusting(issuer), server_hostname="sidecar")
    writer.write(b"x")
    await relay.observer.until(lambda chunks: any(c.kind is Kind.DATA for c in chunks))
    cut(writer)
    assert await seen is ConnectionResetError


@pytest.mark.parametrize("announced", [True, False])
async def test_an_end_that_nobody_announced_is_not_announced_by_us(
    relay: Relay, issuer: Authority, announced: bool
) -> None:
    """Else a body without a length that was cut seems to be whole."""

    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))
        if announced:
            writer.close()
        else:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    address = await both_ends_in_tls(relay, issuer, ends)

    def ask() -> bytes:
        with (
            socket.create_connection(address) as plain,
            trusting(issuer).wrap_socket(
                plain, server_hostname="sidecar", suppress_ragged_eofs=False
            ) as secure,
        ):
            secure.sendall(b"short")
            assert secure.recv(5) == b"short"
            return secure.recv(5)

    if announced:
        assert await asyncio.to_thread(ask) == b""
    else:
        with pytest.raises(ssl.SSLEOFError):
            await asyncio.to_thread(ask)


async def test_a_handshake_that_is_never_finished_is_given_up_and_holds_up_nobody(
    relay: Relay, issuer: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.relay.tls.HANDSHAKE_SECONDS", 0.2)
    host, port = await both_ends_in_tls(relay, issuer, echo)
    silent, _ = await asyncio.open_connection(host, port)
    assert await first_answer(host, port, trusting(issuer)) == b"x"
    assert await silent.read() == b""
    async with asyncio.timeout(10):
        while relay.listener.pairs:
            await asyncio.sleep(0)
    assert relay.counters.connections == 0


async def test_a_fault_of_ours_in_a_handshake_ends_it_and_is_told(
    relay: Relay, issuer: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_sock: TlsSocket) -> None:
        raise ValueError("ours")

    with_tls(relay, ServerTls(*issuer.issue("sidecar")))
    host, port = await relay.in_front_of_handler(echo)
    monkeypatch.setattr(TlsSocket, "do_handshake", fails)
    reader, writer = await asyncio.open_connection(host, port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    assert relay.listener.pairs == {}
    assert [str(fault) for fault in relay.loop.faults] == ["ours"]
    relay.loop.faults.clear()
    writer.close()


async def test_a_server_that_never_shakes_hands_is_refused_in_time(relay: Relay, issuer: Authority) -> None:
    with_tls(relay, None, ClientTls(ca=issuer.ca, server_name="model"))
    relay.listener._connect_timeout = 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reader, writer = await asyncio.open_connection(
            *await relay.in_front_of(Upstream("model", *silent.getsockname()))
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
    assert relay.counters.connect_failures["timeout"] == 1
    writer.close()
