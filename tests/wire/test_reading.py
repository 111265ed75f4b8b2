"""What becomes of a connection that cannot be read any further."""

import pytest

from sidecar.exchange import Outcome
from tests.wire.playbook import Playbook, answer, get


def test_a_request_that_cannot_be_read_is_counted_as_unobserved_after_one_that_could():
    play = Playbook().open().client(get()).server(answer()).client(b"\x00\x01 nonsense\r\n\r\n")
    assert [(e.target, e.outcome) for e in play.exchanges()] == [
        ("/v2/health/ready", Outcome.OK),
        ("", Outcome.UNOBSERVED),
    ]


@pytest.mark.parametrize(
    "first", [b"\x16\x03\x01\x02\x00\x01\x00", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 100]
)
def test_another_protocol_is_no_lost_request(first):
    assert Playbook().open().client(first).close().exchanges() == []
