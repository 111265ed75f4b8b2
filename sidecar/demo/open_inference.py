"""The Open Inference Protocol (V2), JSON, as far as the demo's model speaks it: one tensor per feature.

Pure: messages in, rows and messages out. Nulls are passed on, because that is what real servers do with
the features they are sent.
"""

from collections.abc import Sequence
from typing import Any

from sidecar.demo.dataset import LABEL, MODEL_NAME, MODEL_VERSION, SCORE, Row


class BadRequest(ValueError):
    """A request the model cannot read; the message is for the client."""


def request_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The message that asks for predictions of `rows`, all with the same features."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {"inputs": [_tensor(name, "FP64", values) for name, values in columns.items()]}


def rows_of(message: Any) -> list[Row]:
    """The rows that a message asks about. Raises BadRequest."""
    try:
        columns = {str(tensor["name"]): list(tensor["data"]) for tensor in message["inputs"]}
    except (TypeError, KeyError) as error:
        raise BadRequest('expected {"inputs": [{"name", "datatype", "shape", "data"}, …]}') from error
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise BadRequest("every input needs one value for each row, and there must be at least one")
    numbers = (int, float, type(None))
    if any(not isinstance(value, numbers) for values in columns.values() for value in values):
        raise BadRequest("values must be numbers or null")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def answer_of(
    predictions: Sequence[tuple[str, float | None]], request_id: str = "", version: str = MODEL_VERSION
) -> dict[str, Any]:
    """The message that answers with one label and one probability a row."""
    answer: dict[str, Any] = {"model_name": MODEL_NAME, "model_version": version}
    if request_id:
        answer["id"] = request_id
    labels = [label for label, _ in predictions]
    scores = [score for _, score in predictions]
    answer["outputs"] = [_tensor(LABEL, "BYTES", labels), _tensor(SCORE, "FP64", scores)]
    return answer


def metadata_of(features: Sequence[str]) -> dict[str, Any]:
    """The model's metadata."""
    return {
        "name": MODEL_NAME,
        "versions": [MODEL_VERSION],
        "platform": "river",
        "inputs": [_column(name, "FP64") for name in features],
        "outputs": [_column(LABEL, "BYTES"), _column(SCORE, "FP64")],
    }


def _tensor(name: str, datatype: str, values: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def _column(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}
