"""Headers for the collector: given in the configuration, or one a line in a file, such as a mounted Secret.

Values may be secret. Nothing here puts one into a sentence: a problem names the line or the header.
"""

import re
from typing import Any

# Tokens are a few kilobytes at most; a larger file is the wrong one.
MAX_FILE_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_WANTED = "a line such as authorization: Bearer …"


def header_name(value: Any) -> str:
    """The name of a header, in lower case, as gRPC wants it."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("a name of a header is not allowed; give one such as authorization")
    return value.lower()


def header_value(value: Any) -> str:
    """The value of a header: printable ASCII, as both HTTP and gRPC take it."""
    if isinstance(value, str) and value.strip() and value.isascii() and value.isprintable():
        return value.strip()
    raise ValueError("the value is not allowed; give printable ASCII text")


def read(path: str) -> dict[str, str]:
    """The headers in the file `path`: a line `name: value` each; empty lines and `#` are passed over.

    Raises OSError if it cannot be read, and ValueError with a sentence that holds no value.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES // 1024} KiB; is this the right file?")
    found = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            name, colon, value = line.partition(":")
            try:
                found[header_name(name.strip())] = header_value(value if colon else "")
            except ValueError:
                raise ValueError(f"line {number} is no header; give {_WANTED}") from None
    return found


def problem(path: str) -> str:
    """Why the file cannot be used; "" if it can."""
    try:
        read(path)
    except OSError as error:
        return f"cannot be read at {path}: {error.strerror}"
    except ValueError as error:
        return f"{path}: {error}"
    return ""
