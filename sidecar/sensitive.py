"""Takes secrets and personal data out of a text, by their patterns. Pure.

What it is not: a proof. A person's name or street has no pattern; the first guard is the list of fields that
may leave at all, this is the second. It would rather take out too much: a long run of letters and digits is a
token until proven otherwise. The trap: patterns are tried on hostile text, so each of them is linear and
texts are short.
"""

import base64
import binascii
import re
from collections.abc import Callable

# Longer texts are prose or documents, whose personal data no pattern finds.
MAX_CHARACTERS = 200

# Long enough to hide "a@b.example" in base64.
_CODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_DIGITS = re.compile(r"(?<![0-9])\(?\+?(?:[0-9][ .\-/()]{0,2}){7,18}[0-9](?![0-9])")
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("key", re.compile(r"-----BEGIN [A-Z ]{0,30}(?:KEY|CERTIFICATE)-----.*", re.DOTALL)),
    ("url", re.compile(r"[a-z][a-z0-9+.\-]{1,15}://[^\s/@]{1,100}@\S*", re.IGNORECASE)),
    (
        "email",
        re.compile(r"[^\s@<>\"',;:/=&?]{1,64}(?:@|%40|\(at\)|\[at\])[A-Za-z0-9.\-]{1,100}", re.IGNORECASE),
    ),
    ("token", re.compile(r"(?:bearer|basic|digest)\s+[A-Za-z0-9+/=._~\-]{4,}", re.IGNORECASE)),
    ("token", re.compile(r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,4}")),
    (
        "secret",
        re.compile(
            r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|credential|auth(?:orization)?|session(?:id)?)"
            r"[\"']?\s{0,3}[:=]\s{0,3}\S+",
            re.IGNORECASE,
        ),
    ),
    (
        "key",
        re.compile(
            r"(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abprs]|hf|npm|pypi|AIza|ya29|AKIA|ASIA|SG)"
            r"[_.\-]?[A-Za-z0-9_.\-]{12,}"
        ),
    ),
    (
        "iban",
        re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\b", re.IGNORECASE),
    ),
    ("address", re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")),
    ("address", re.compile(r"(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{0,4}", re.IGNORECASE)),
    ("number", re.compile(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b")),
)
_KEYS = re.compile(r"[A-Za-z0-9+/_=-]{32,}")


def scrub(text: str) -> str:
    """`text` with `[email]`, `[card]`, `[phone]`… in the place of what looks like one. Too long: `[text]`."""
    if len(text) > MAX_CHARACTERS:
        return "[text]"
    for name, pattern in _PATTERNS:
        text = pattern.sub(f"[{name}]", text)
    text = _DIGITS.sub(_number, text)
    text = _CODED.sub(_decoded, text)
    return _KEYS.sub("[key]", text)


def scrub_number(value: float) -> float | str:
    """`value`, or `[card]` if its digits are those of a payment card."""
    if 10**12 <= value < 10**19 and value == int(value) and _luhn(str(int(value))):
        return "[card]"
    return value


def is_sensitive(text: str) -> bool:
    """Whether `scrub` would change it."""
    return scrub(text) != text


def _number(match: re.Match[str]) -> str:
    """A run of digits, with what people put between them: a card, a telephone number, or neither."""
    text = match[0]
    digits = "".join(c for c in text if c in "0123456789")
    if 13 <= len(digits) <= 19 and _luhn(digits):
        return "[card]"
    # Dates and decimal numbers have digits and separators, too.
    if len(digits) < 9 or _is_date_or_decimal(text):
        return text
    return "[phone]" if len(digits) <= 15 else "[number]"


_is_date_or_decimal: Callable[[str], re.Match[str] | None] = re.compile(
    r"[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}(?: ?[0-9]{2}.*)?|[0-9]+\.[0-9]+"
).fullmatch


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: the check digit of payment cards."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0 and any(digit != "0" for digit in digits)


def _decoded(match: re.Match[str]) -> str:
    """`[encoded]` for base64 of a text that would not be let through itself."""
    text = match[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inner = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return match[0]
    return "[encoded]" if inner.isprintable() and is_sensitive(inner) else match[0]
