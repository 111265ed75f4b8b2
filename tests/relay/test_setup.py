import socket
import threading

import pytest

from sidecar.relay.worker import read_setup


def test_what_follows_the_setup_stays_for_whoever_reads_commands() -> None:
    ours, theirs = socket.socketpair()
    ours.send(b'{"worker": 1}\n{"supervisor": {}}\n{"stop": 1}\n')

    assert read_setup(theirs) == {"worker": 1}
    assert theirs.recv(100) == b'{"supervisor": {}}\n{"stop": 1}\n'


def test_a_setup_that_arrives_in_pieces_is_read_whole() -> None:
    ours, theirs = socket.socketpair()
    found: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: found.append(read_setup(theirs)))
    reader.start()
    for byte in b'{"worker": 1}\n':
        ours.send(bytes([byte]))
    reader.join()

    assert found == [{"worker": 1}]


def test_a_supervisor_that_is_gone_ends_the_process() -> None:
    ours, theirs = socket.socketpair()
    ours.close()

    with pytest.raises(SystemExit):
        read_setup(theirs)
