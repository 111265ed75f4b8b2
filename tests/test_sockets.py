import socket
import stat
import tempfile
from pathlib import Path

import pytest

from sidecar import sockets
from sidecar.address import Address
from sidecar.errors import SidecarError


def test_a_port_in_use_is_one_sentence_that_says_what_to_do() -> None:
    taken = sockets.listen(Address("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with pytest.raises(SidecarError, match=f"cannot listen on 127.0.0.1:{port}: something listens there"):
        sockets.listen(Address("127.0.0.1", port))
    taken.close()


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    with pytest.raises(SidecarError, match="this machine has no such address"):
        sockets.listen(Address("192.0.2.1", 0))


def test_ipv6_works() -> None:
    sock = sockets.listen(Address("::1", 0))
    assert sock.family == socket.AF_INET6
    sock.close()


def test_a_client_whose_host_vanished_is_noticed() -> None:
    listening = sockets.listen(Address("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    listening.setblocking(True)
    accepted, _ = listening.accept()
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    for sock in (accepted, client, listening):
        sock.close()


def test_a_unix_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    sock = sockets.listen(Address(path=str(tmp_path / "s")))
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    sock.close()


def test_the_file_of_a_dead_socket_is_replaced_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    address = Address(path=str(tmp_path / "s"))
    sockets.listen(address).close()
    alive = sockets.listen(address)
    with pytest.raises(SidecarError, match="something listens there"):
        sockets.listen(address)
    alive.close()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(SidecarError):
        sockets.listen(Address(path=str(tmp_path / "s")))
    assert (tmp_path / "s").read_text() == "precious"


def test_a_private_directory_leaves_nothing_behind() -> None:
    private = sockets.PrivateDirectory()
    path = Path(private.socket("tee"))
    sockets.listen(Address(path=str(path))).close()
    assert path.exists()
    private.remove()
    assert not path.parent.exists()


def test_without_a_writable_directory_sockets_have_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    private = sockets.PrivateDirectory()
    name = private.socket("tee")
    sock = sockets.listen(Address(path=name))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(sockets.unix_name(name))
        assert sockets.peer_is_ours(client)
    sock.close()
    private.remove()


def test_a_directory_in_which_no_socket_can_be_bound_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 120)  # longer than the name of a socket may be
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    private = sockets.PrivateDirectory()
    sockets.listen(Address(path=private.socket("tee"))).close()
    assert list(long.iterdir()) == []
