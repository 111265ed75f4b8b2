"""multipart/form-data (RFC 7578): the fields of a form, and how large its files are.

Not for mail: no nesting, no transfer encodings. A file is worth its size, unless it holds JSON, which is how
some clients send a request. The trap: what separates parts includes the line end before it.
"""

import re
from typing import Any

from sidecar.decoders import columns, json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.delimited import value_of
from sidecar.inference import Undecoded

# RFC 2046 allows 70 characters.
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))""", re.IGNORECASE)
_NAME = re.compile(rb"""[;\s]name=(?:"([^"]*)"|([^\s";]+))""", re.IGNORECASE)
_FILE = re.compile(rb"""[;\s]filename\*?=""", re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
# Names and types of a part; longer ones are no form.
_LONGEST_HEAD = 4096
_LONGEST_NAME = 200


def read(data: bytes, content_type: str) -> dict[str, Any]:
    """Each field by its name, as numbers, text or JSON, and each file's size as `name.size`.

    A name that comes several times has a list. Raises Undecodable.
    """
    fields: dict[str, list[Any]] = {}
    for part in _parts(data, content_type):
        head, _, content = part.partition(b"\r\n\r\n")
        found = _NAME.search(head) if len(head) <= _LONGEST_HEAD else None
        if found is None:
            raise Undecodable(Undecoded.SHAPE, "a part of the form has no name")
        name = str(found[1] or found[2] or b"", "utf-8", "replace")[:_LONGEST_NAME]
        key, value = _value(name, head, content)
        fields.setdefault(key, []).append(value)
    if not fields:
        raise Undecodable(Undecoded.NO_ROWS, "the form is empty")
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _parts(data: bytes, content_type: str) -> list[bytes]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Undecodable(Undecoded.SHAPE, "the content type has no boundary")
    separator = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
    _, *parts = (b"\r\n" + data).split(separator, columns.MAX_COLUMNS + 2)
    if not parts or not parts[-1].startswith(b"--"):
        columns.check_width(len(parts))
        raise Undecodable(Undecoded.SHAPE, "the form does not end")
    return [part[part.find(b"\r\n") :] for part in parts[:-1]]


def _value(name: str, head: bytes, content: bytes) -> tuple[str, Any]:
    kind = _TYPE.search(head)
    media = kind[1].lower() if kind else b""
    if b"json" in media:
        return name, json_text.read(content)
    if _FILE.search(head) or (media and not media.startswith(b"text/")):
        return f"{name}.size", len(content)
    return name, of_text(str(content, "utf-8", "replace"))


def of_text(text: str) -> Any:
    """What somebody wrote into a field: JSON if it is an object or a list, else a number or text."""
    if text[:1] in ("{", "["):
        try:
            return json_text.read(text.encode("utf-8", "replace"))
        except Undecodable:
            return text
    return value_of(text)
