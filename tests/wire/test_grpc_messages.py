import pytest

from sidecar.wire.grpc_messages import Messages
from tests.wire.h2 import message

MANY = Messages.MANY


def count(*pieces: bytes | int) -> int:
    """A number stands for so many bytes that were lost."""
    messages = Messages()
    for piece in pieces:
        messages.miss(piece) if isinstance(piece, int) else messages.feed(piece)
    return messages.count


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b"", 0),
        (b"\0\0\0\0", 0),
        (message(b""), 1),
        (message(b"x" * 300), 1),
        (message(b"x") * 2, MANY),
        (message(b"") * 3, MANY),
        (b"\0\xff\xff\xff\xff" + b"x" * 100, 1),
        (message(b"x") + b"\0\0", 1),
    ],
)
def test_messages_are_counted_however_they_are_cut(body, messages):
    assert count(body) == messages
    assert count(*(body[at : at + 1] for at in range(len(body)))) == messages


def test_bytes_lost_inside_a_message_are_no_reason_to_doubt():
    assert count(message(b"x" * 100)[:10], 95) == 1
    assert count(message(b"x" * 100)[:10], 50, b"x" * 45) == 1


def test_bytes_lost_where_another_message_may_have_begun_leave_it_unknown():
    assert count(message(b"x" * 100)[:10], 96) == MANY
    assert count(5) == MANY
    assert count(b"\0\0", 3) == MANY
