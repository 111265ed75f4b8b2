"""The token that lets clients of other hosts change something."""

import os

import pytest

from sidecar.admin.token import Token, read_token
from sidecar.errors import SidecarError

GOOD = "correct-horse-battery"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{GOOD}\n")
    return path


def test_only_the_token_admits(file):
    token = Token(str(file))
    assert token.admits(f"Bearer {GOOD}")
    assert token.admits(f"bearer  {GOOD} ")
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {GOOD}",
        GOOD,
        f"Bearer {GOOD}x",
        "Bearer ü",
        "Bearer \ud800",
    ):
        assert not token.admits(wrong)


def test_a_token_that_is_replaced_is_read_again_and_one_that_is_gone_admits_nobody(file, caplog):
    token = Token(str(file))
    file.write_text("another-token-altogether")
    assert not token.admits(f"Bearer {GOOD}")
    assert token.admits("Bearer another-token-altogether")
    file.unlink()
    for given in ("Bearer another-token-altogether", "Bearer ", "Bearer"):
        assert not token.admits(given)
    (record,) = caplog.records  # said once, and never the token
    assert record.message.endswith(f"the token cannot be used: {file}: no such file or directory")
    file.write_text(GOOD)
    assert token.admits(f"Bearer {GOOD}")


def test_a_pipe_is_no_token_and_is_not_waited_for(tmp_path):
    path = tmp_path / "token"
    os.mkfifo(path)
    assert not Token(str(path)).admits("Bearer ")
    with pytest.raises(SidecarError, match="is no file"):
        read_token(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\n", b"with a space in it", b"x" * 5000, "ü".encode() * 16]
)
def test_what_is_no_token_is_refused_without_being_repeated(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(SidecarError, match="holds no token") as error:
        read_token(str(path))
    assert "space" not in str(error.value)
