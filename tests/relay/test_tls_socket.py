"""A TLS socket that is read like a plain one: what comes in one packet is neither lost nor unseen."""

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sidecar.relay.tls import ServerTls, TlsSocket, accepted
from tests.relay.certificates import Authority, authority
from tests.relay.test_side import connected, cut


@dataclass
class Talk:
    """Ours, and a client whose records are sent when we say."""

    ours: TlsSocket
    sock: socket.socket
    client: ssl.SSLObject
    said: ssl.MemoryBIO
    heard: ssl.MemoryBIO

    def send(self, record: bytes = b"") -> None:
        self.sock.sendall(record or self.said.read())

    def hear(self) -> None:
        self.heard.write(self.sock.recv(65536))

    def shake_hands(self) -> None:
        for _ in range(3):
            for step in (self._client_steps, self._we_step):
                step()

    def _client_steps(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.do_handshake()
        self.send()

    def _we_step(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.ours.do_handshake()
        if readable(self.sock):
            self.hear()

    def say_close(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self.client.unwrap()


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def read(ours: TlsSocket) -> bytes:
    """As a side does: when the kernel says that there is something."""
    assert select.select([ours], [], [], 5)[0]
    room = bytearray(256 * 1024)
    return bytes(room[: ours.recv_into(memoryview(room))])


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    directory: Path = tmp_path_factory.mktemp("authority")
    return authority(directory)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def talk(request: pytest.FixtureRequest, issuer: Authority) -> Iterator[Talk]:
    context = ssl.create_default_context(cafile=issuer.ca)
    context.minimum_version = context.maximum_version = request.param
    ours, theirs = connected()
    theirs.setblocking(True)
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(heard, said, server_hostname="sidecar")
    talk = Talk(accepted(ServerTls(*issuer.issue("sidecar")).context(), ours), theirs, client, said, heard)
    talk.shake_hands()
    yield talk
    talk.ours.close()
    theirs.close()


def test_an_end_in_one_packet_with_the_last_bytes_is_seen(talk: Talk) -> None:
    talk.client.write(b"last")
    talk.say_close()
    talk.send()
    assert read(talk.ours) == b"last"
    assert read(talk.ours) == read(talk.ours) == b""


def broken(talk: Talk) -> bytes:
    talk.client.write(b"changed on its way")
    record = bytearray(talk.said.read())
    record[-1] ^= 1
    return bytes(record)


def test_a_broken_record_in_one_packet_with_good_bytes_is_an_error_and_no_end(talk: Talk) -> None:
    talk.client.write(b"good")
    good = talk.said.read()
    talk.send(good + broken(talk))
    assert read(talk.ours) == b"good"
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            read(talk.ours)


@pytest.mark.parametrize("pieces", [1, 3])
def test_bytes_right_behind_a_record_come_with_it(talk: Talk, pieces: int) -> None:
    for _ in range(pieces):
        talk.client.write(b"x" * 16_384)
    talk.send()
    heard = b""
    while len(heard) < pieces * 16_384:
        heard += read(talk.ours)
    with pytest.raises(BlockingIOError):
        talk.ours.recv_into(memoryview(bytearray(16_384)))


def test_an_end_that_was_announced_is_not_ragged_and_one_that_was_not_is(talk: Talk) -> None:
    talk.say_close()
    talk.send()
    assert (read(talk.ours), talk.ours.ragged) == (b"", False)


def test_the_reset_that_our_own_alert_provokes_does_not_make_a_cut_of_an_end(talk: Talk) -> None:
    talk.client.write(b"last")
    talk.send()
    if readable(talk.sock):
        talk.hear()
    talk.sock.close()
    assert read(talk.ours) == b"last"
    assert read(talk.ours) == b""
    assert talk.ours.ragged


def test_a_reset_is_no_end(talk: Talk) -> None:
    cut(talk.sock)
    with pytest.raises(ConnectionResetError):
        read(talk.ours)


def test_what_is_sent_goes_at_once_however_many_records_it_is(talk: Talk) -> None:
    assert talk.ours.send(b"x" * 100_000) == 100_000
    heard = 0
    while heard < 100_000:
        talk.hear()
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := talk.client.read(65536):
                heard += len(piece)


def test_what_is_not_taken_is_sent_again_with_more_behind_it(talk: Talk) -> None:
    def take(waiting: bytes) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return waiting[talk.ours.send(waiting) :]
        return waiting

    said, waiting = b"", b""
    while not waiting:
        piece = len(said).to_bytes(4, "big") * 60_000
        said, waiting = said + piece, take(piece)
    with pytest.raises(BlockingIOError):
        talk.ours.send(waiting)
    said, waiting = said + b"more", waiting + b"more"
    heard = b""
    while len(heard) < len(said):
        waiting = take(waiting) if waiting else b""
        talk.hear()
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := talk.client.read(65536):
                heard += piece
    assert heard == said
