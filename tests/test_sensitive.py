import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.sensitive import MAX_CHARACTERS, is_sensitive, scrub, scrub_number

CANARIES = {
    "alice.canary@example.com": "[email]",
    "alice.canary%40example.com": "[email]",
    "4111 1111 1111 1111": "[card]",
    "4111-1111-1111-1111": "[card]",
    "4111111111111111": "[card]",
    "378282246310005": "[card]",
    "GB82 WEST 1234 5698 7654 32": "[iban]",
    "DE89370400440532013000": "[iban]",
    "+49 30 901820-12": "[phone]",
    "(555) 123-45678": "[phone]",
    "0151 2345 6789": "[phone]",
    "078-05-1120": "[number]",
    "Bearer abc.def-123": "[token]",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "[token]",
    "sk-live-4242abcdABCD4242": "[key]",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": "[key]",
    "AKIAIOSFODNN7EXAMPLE": "[key]",
    "password=hunter2": "[secret]",
    "api_key: hunter2": "[secret]",
    "postgres://u:hunter2@db/x": "[url]",
    "192.168.17.4": "[address]",
    "2001:db8:0:0:1:0:0:1": "[address]",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b": "[key]",
}
HARMLESS = (
    "", "NY", "north-west", "self-employed", "2026-08-01", "2026-08-01 10:11:12", "12345", "-122.4194155",
    "3.14159265358979", "v2.14.1", "Married filing jointly", "10k-20k", "true", "C#", "semi_detached_house",
)  # fmt: skip


@pytest.mark.parametrize(("text", "there"), CANARIES.items())
def test_a_secret_or_personal_text_is_replaced_by_what_it_was(text, there):
    assert scrub(text) == there
    assert text not in scrub(f"before {text} after")


@pytest.mark.parametrize("text", CANARIES)
def test_it_is_found_in_base64_too(text):
    coded = base64.b64encode(f"see {text}".encode()).decode()
    assert coded.rstrip("=") not in scrub(coded)


@pytest.mark.parametrize("text", HARMLESS)
def test_categories_dates_and_numbers_pass(text):
    assert scrub(text) == text
    assert not is_sensitive(text)


def test_a_long_text_does_not_pass_at_all():
    assert scrub("a " * MAX_CHARACTERS) == "[text]"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (4111111111111111, "[card]"), (4111111111111111.0, "[card]"),
        (4111111111111112, 4111111111111112), (0.5, 0.5), (41, 41), (float("inf"), float("inf")),
    ],
)  # fmt: skip
def test_a_number_that_is_a_card_does_not_pass(number, expected):
    assert scrub_number(number) == expected


@settings(max_examples=200)
@given(st.text(max_size=2 * MAX_CHARACTERS))
def test_any_text_is_scrubbed_and_scrubbing_it_again_changes_nothing_of_what_passed(text):
    assert len(scrub(text)) <= 4 * MAX_CHARACTERS


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(CANARIES)),
    st.text(alphabet="ab ,;.\n", max_size=20),
    st.text(alphabet="ab ,;\n", max_size=20),
)
def test_no_canary_survives_whatever_surrounds_it(canary, before, after):
    assert canary not in scrub(f"{before} {canary} {after}")
