"""What counts as an address, and what is said of text that is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.address import Address
from sidecar.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Address("127.0.0.1", 8000)),
        ("model-server.ns.svc:80", Address("model-server.ns.svc", 80)),
        ("[::1]:8000", Address("::1", 8000)),
        ("[fe80::1%eth0]:8000", Address("fe80::1%eth0", 8000)),
        (":18080", Address("0.0.0.0", 18080)),
        ("localhost:0", Address("localhost", 0)),
        ("unix:/run/model.sock", Address(path="/run/model.sock")),
        ("unix:///run/model.sock", Address(path="/run/model.sock")),
    ],
)
def test_an_address_is_read_and_written_back_as_the_same_address(text, address):
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("8000", "8000 is not an address; give the host too, such as 127.0.0.1:8000"),
        ("localhost", "localhost is not an address; give host:port, [::1]:port or unix:/path"),
        ("", "'' is not an address; give host:port, [::1]:port or unix:/path"),
        ("http://m:8000/v1", "http://m:8000/v1 is not an address; leave out http:// and give m:8000"),
        ("https://m", "https://m is not an address; leave out https:// and give m:port"),
        ("::1:8000", "::1:8000 is not an address; put an IPv6 address in brackets, such as [::1]:8000"),
        ("h:http", "h:http is not an address; give a port from 0 to 65535 after the last colon"),
        ("h:65536", "h:65536 is not an address; give a port from 0 to 65535 after the last colon"),
        ("h:٣", "h:٣ is not an address; give a port from 0 to 65535 after the last colon"),
        ("a b:1", "a b:1 is not an address; give host:port, [::1]:port or unix:/path"),
        ("[nope]:1", "[nope]:1 is not an address; give host:port, [::1]:port or unix:/path"),
        ("/run/m", "/run/m is not an address; write unix:/run/m for a socket in the file system"),
        (
            "unix:run/m",
            "unix:run/m is not an address; give an absolute path, such as unix:/run/sidecar/model.sock",
        ),
    ],
)
def test_text_that_is_no_address_says_what_would_be_right(text, sentence):
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert str(caught.value) == sentence


def test_a_unix_path_that_the_kernel_would_refuse_is_refused_here():
    Address.parse("unix:/" + "a" * 106)
    with pytest.raises(UsageError, match="at most 107 bytes"):
        Address.parse("unix:/" + "a" * 107)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("[::]:80", "localhost:80", True),
        ("127.0.0.1:80", "localhost:80", True),
        ("0.0.0.0:80", "[::]:80", True),
        ("0.0.0.0:80", "10.0.0.7:80", False),  # most likely another machine
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "127.0.0.1:0", False),
    ],
)
def test_two_addresses_overlap_when_one_socket_could_answer_for_both(one, other, same):
    assert Address.parse(one).overlaps(Address.parse(other)) is same
    assert Address.parse(other).overlaps(Address.parse(one)) is same


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_one_printable_sentence(text):
    sentence = ""
    try:
        Address.parse(text)
    except UsageError as error:
        sentence = str(error)
    assert sentence.isprintable()


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        Address.parse("http://user:hunter2@m:8000")
    assert "hunter2" not in str(caught.value)
