"""What the texts of a BYTES tensor are by their content type, as MLServer knows it: base64, or data frames.

Source: docs.seldon.ai/mlserver, "Content types (and codecs)". `np`, `pd`, `str` and `datetime` say nothing
that columns need to know: their values are read as they are. The trap: base64 is usually an image or other
opaque data, and invalid base64 is legal: it stands for itself.
"""

import base64
import binascii
from typing import Any

from sidecar.decoders import columns, json_text, raw_tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

# The content types whose texts are something else than what they say.
BASE64, FRAMES = "base64", "pd_json"


def content_type_of(holder: dict[str, Any]) -> str:
    """The content type in the `parameters` of a request, an input or an output; "" if there is none."""
    parameters = holder.get("parameters")
    found = parameters.get("content_type") if type(parameters) is dict else ""
    return found if type(found) is str else ""


def unencoded(text: Any) -> Any:
    """The text in base64; BINARY for what is none, and what is no base64 as it is."""
    try:
        return raw_tensors.text_of(base64.b64decode(text, validate=True)) if type(text) is str else text
    except (binascii.Error, ValueError):
        return text


def of_frames(texts: list[Any]) -> tuple[int, list[Column]]:
    """Columns of data frames in JSON, one in each text, in whichever orientation pandas wrote it.

    Raises Undecodable.
    """
    if not texts or any(type(text) is not str for text in texts):
        raise Undecodable(Undecoded.SHAPE, "a data frame is not text")
    frames = [json_text.read(text.encode("utf-8", "replace")) for text in texts]
    if len(frames) > 1:
        return len(frames), columns.of_rows(frames)
    return _of_frame(frames[0])


def _of_frame(frame: Any) -> tuple[int, list[Column]]:
    if type(frame) is list:
        return columns.check_rows(len(frame)), columns.of_rows(frame)
    if type(frame) is not dict:
        raise Undecodable(Undecoded.SHAPE, "a data frame is neither an object nor a list")
    names, rows = frame.get("columns"), frame.get("data")
    if type(names) is list and type(rows) is list:
        return columns.check_rows(len(rows)), columns.of_table(names, rows)
    if frame and all(type(values) is dict for values in frame.values()):
        # Orientation `columns`: an object of index to value for each column.
        return columns.of_columns({name: list(values.values()) for name, values in frame.items()})
    return 1, columns.of_records([frame])
