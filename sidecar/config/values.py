"""The kinds of single values a configuration holds: address, duration, percentage, number, flag…

Each reader takes the user's text (or the JSON of settings already read) and gives the value, or raises
ValueError with the rest of a sentence: what was found and what would be right.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import PlainSerializer, PlainValidator

from sidecar.address import Address
from sidecar.errors import UsageError
from sidecar.reference import ColumnType

_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_CREDENTIALS = re.compile(r"auth|cookie|token|secret|password|session|credential|signature|api[-_]?key")
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
# Names of models, owners, classes: the longest real ones are a third of this.
MAX_TEXT_CHARACTERS = 300
_SHOWN_CHARACTERS = 60


def shown(value: Any) -> str:
    """What the user gave, as it can stand in a sentence: printable, short, without passwords."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = re.sub(r"//[^/]*@", "//…@", str(value))
    text = text if text and text.isprintable() else ascii(text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def refusal(value: Any, want: str) -> ValueError:
    """The error that says: this is not allowed, give that."""
    return ValueError(f"{shown(value)} is not allowed; give {want}")


def _scalar(value: Any, want: str) -> str:
    if value is None or isinstance(value, dict | list):
        raise refusal("an empty value" if value is None else value, want)
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def address(value: Any) -> Address:
    """An address, as `Address.parse` reads it."""
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(_scalar(value, "host:port, [::1]:port or unix:/path"))
    except UsageError as error:
        raise ValueError(str(error)) from error


def duration(low: str, high: str) -> Callable[[Any], float]:
    """A reader of durations in seconds, between `low` and `high`, both given as durations."""
    lowest, highest = _seconds(low), _seconds(high)

    def read(value: Any) -> float:
        text = _scalar(value, "a duration such as 200ms, 5s or 5m")
        if _NUMBER.fullmatch(text):
            raise ValueError(f"{shown(text)} has no unit; give {_with_unit(text)}")
        if not _DURATION.fullmatch(text):
            raise refusal(text, "a number with a unit, such as 200ms, 5s, 5m or 1h")
        if not lowest <= _seconds(text) <= highest:
            raise refusal(text, f"a duration from {low} to {high}")
        return float(_seconds(text))

    return read


def _seconds(text: str) -> Decimal:
    return sum((Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(text)), Decimal(0))


def _with_unit(text: str) -> str:
    return f"{text}s or {text}ms" if text.isdigit() and len(text) < 10 else "a duration such as 200ms or 5s"


def duration_text(seconds: float) -> str:
    """The duration as text that reads back as the same number of seconds."""
    return f"{Decimal(repr(seconds)):f}s"


def percentage(value: Any) -> Decimal:
    """The percentage an objective asks for: at least 1, below 100, written 99.9 or 99.9%."""
    text = _scalar(value, "a percentage such as 99.9")
    number = _decimal(text.removesuffix("%").rstrip(), text, "a percentage such as 99.9")
    if number >= 100:
        raise ValueError(f"{shown(text)} leaves no room for a single bad event; give less, such as 99.9")
    if 0 < number < 1:
        raise ValueError(f"{shown(text)} looks like a share; give a percentage such as {_percent(number)}")
    if number < 1:
        raise refusal(text, "a percentage from 1 up to 99.999, such as 99.9")
    return number


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"


def _decimal(text: str, found: str, want: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise refusal(found, want)
    try:
        return Decimal(text)
    except InvalidOperation as error:  # the pattern leaves none, but Decimal is the judge
        raise refusal(found, want) from error


def number(value: Any) -> float:
    """A finite number."""
    text = _scalar(value, "a number")
    result = float(_decimal(text, text, "a number"))
    if not math.isfinite(result):
        raise refusal(text, "a number that fits a double")
    return result


def not_negative(value: Any) -> float:
    """A finite number of at least zero."""
    found = number(value)
    if found < 0:
        raise refusal(value, "a number of at least 0, such as 0.1")
    return found


_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,9})\s*(B|KiB|MiB|GiB)")


def size(low: str, high: str) -> Callable[[Any], int]:
    """A reader of sizes in bytes, between `low` and `high`, both given as sizes."""

    def read(value: Any) -> int:
        want = f"a size from {low} to {high}"
        text = _scalar(value, want)
        found = _bytes(text)
        if found is None or not (_bytes(low) or 0) <= found <= (_bytes(high) or 0):
            raise refusal(text, want)
        return found

    return read


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _SIZES[match[2]] if match else None


def size_text(found: int) -> str:
    """The size as text that reads back as the same number of bytes."""
    unit = next(name for name in reversed(_SIZES) if found % _SIZES[name] == 0)
    return f"{found // _SIZES[unit]}{unit}"


def burn(value: Any) -> Decimal:
    """A burn rate between that of a ticket and that of the fast page."""
    want = "a burn rate above 3 and below 14.4, such as 4"
    text = _scalar(value, want)
    rate = _decimal(text, text, want)
    if not Decimal(3) < rate < Decimal("14.4"):
        raise refusal(text, want)
    return rate


def whole(low: int, high: int, noun: str) -> Callable[[Any], int]:
    """A reader of whole numbers of `noun` between `low` and `high`."""

    def read(value: Any) -> int:
        want = f"a number of {noun} from {low} to {high}"
        text = _scalar(value, want)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise refusal(text, want)
        return int(text)

    return read


def flag(value: Any) -> bool:
    """Yes or no."""
    text = _scalar(value, "true or false").lower()
    if text not in _TRUE | _FALSE:
        raise refusal(text, "true or false")
    return text in _TRUE


def text(noun: str) -> Callable[[Any], str]:
    """A reader of one line of text that is `noun`."""

    def read(value: Any) -> str:
        result = _scalar(value, noun)
        if not result or not result.isprintable():
            raise refusal(result, noun)
        if len(result) > MAX_TEXT_CHARACTERS:
            raise ValueError(f"{len(result)} characters are too many; give {MAX_TEXT_CHARACTERS} at most")
        return result

    return read


def header(value: Any) -> str:
    """The name of a request header that holds no credentials, in lower case."""
    want = "the name of a header such as x-tenant"
    result = _scalar(value, want).lower()
    if not _HEADER.fullmatch(result):
        raise refusal(result, want)
    if _CREDENTIALS.search(result):
        raise ValueError(f"{result} may hold credentials, which must not become labels; give another header")
    return result


def category(value: Any) -> str:
    """A category as the traffic spells it; the empty text is one too."""
    want = "the text of a category"
    if value is None or isinstance(value, dict | list):
        _scalar(value, want)
    result = str(value).lower() if isinstance(value, bool) else str(value)
    if result and not result.isprintable():
        raise refusal(result, want)
    return result


def url(example: str) -> Callable[[Any], str]:
    """A reader of http and https addresses."""

    def read(value: Any) -> str:
        result = _scalar(value, f"a URL such as {example}")
        try:
            parts = urlsplit(result)
            right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            right = False
        if not right or not result.isprintable() or " " in result:
            raise refusal(result, f"a URL such as {example}")
        return result

    return read


def base_url(value: Any) -> str:
    """An http or https address that paths are put behind: without a query, and without a slash at its end."""
    want = "a URL such as https://grafana.example.org"
    found = url(want.rpartition(" ")[2])(value)
    if "?" in found or "#" in found:
        raise refusal(found, want)
    return found.rstrip("/")


def one_of(*choices: str) -> Callable[[Any], str]:
    """A reader of one word from a closed set."""

    def read(value: Any) -> str:
        want = " or ".join([", ".join(choices[:-1]), choices[-1]])
        word = _scalar(value, want).lower()
        if word not in choices:
            raise refusal(word, want)
        return word

    return read


def column_type(value: Any) -> ColumnType:
    """What the values of a feature are."""
    return ColumnType(one_of(*ColumnType)(value))


AS_DURATION = PlainSerializer(duration_text, return_type=str, when_used="json")
AS_SIZE = PlainSerializer(size_text, return_type=str, when_used="json")
AS_TEXT = PlainSerializer(str, return_type=str, when_used="json")

AddressValue = Annotated[Address, PlainValidator(address), AS_TEXT]
Percentage = Annotated[Decimal, PlainValidator(percentage), AS_TEXT]
Number = Annotated[float, PlainValidator(number)]
Flag = Annotated[bool, PlainValidator(flag)]
FilePath = Annotated[str, PlainValidator(text("the path of a file"))]
Burn = Annotated[Decimal, PlainValidator(burn), AS_TEXT]
Name = Annotated[str, PlainValidator(text("a name"))]
Header = Annotated[str, PlainValidator(header)]
BaseUrl = Annotated[str, PlainValidator(base_url)]
Runbook = Annotated[str, PlainValidator(url("https://wiki.example/churn"))]
Category = Annotated[str, PlainValidator(category)]
ColumnTypeValue = Annotated[ColumnType, PlainValidator(column_type), AS_TEXT]
