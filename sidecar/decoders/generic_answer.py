"""Predictions in an answer of no known protocol, by what they are usually called."""

from typing import Any

from sidecar.decoders import body, json_text, predictions
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

# In order of precedence; the first that is there gives the rows, others of as many rows come along.
_PREDICTIONS = (
    "predictions", "prediction", "outputs", "output", "results", "result", "labels", "label",
    "predicted_label", "classes", "class", "scores", "score",
    "probabilities", "probability", "proba", "y", "value",
)  # fmt: skip
# Names that say no more than "here it comes": the column is called what every model's prediction is.
_PLAIN = frozenset({"predictions", "prediction", "outputs", "output", "results", "result"})
# A label is a word or a few; longer text is generated, and no class.
_LONGEST_LABEL = 100
_WRAPPERS = ("data", "response", "body")


def fill(inference: Inference, document: Any) -> None:
    """Read an answer. Raises Undecodable if nothing in it looks like a prediction."""
    inference.error = body.error_of(document, *_PREDICTIONS)
    if inference.error:
        return
    if type(document) is dict:
        _name_model(inference, document)
    if inference.operation is Operation.PREDICT:
        inference.outputs = _find(document, inference.rows)


def label_of(data: bytes) -> str | None:
    """The label that a whole answer is: a short line of text that is no JSON; None if it is anything else."""
    text = data.strip()
    if not 0 < len(text) <= _LONGEST_LABEL or text[:1] in b'{["' or not text.isascii():
        return None
    try:
        json_text.read(text)
    except Undecodable as error:
        label = text.decode()
        return label if error.reason is Undecoded.NOT_JSON and label.isprintable() else None
    return None


def _find(document: Any, rows: int) -> list[Column]:
    if type(document) is not dict:
        return of_member(document, predictions.UNNAMED, rows)
    present = [key for key in _PREDICTIONS if document.get(key) is not None]
    if present:
        return _of_members(document, present, rows)
    for key in _WRAPPERS:
        if type(document.get(key)) in (dict, list):
            return of_member(document[key], predictions.UNNAMED, rows)
    if len(document) == 1:
        ((key, value),) = document.items()
        return of_member(value, key, rows)
    raise Undecodable(Undecoded.SHAPE, "nothing in the answer is called what predictions are called")


def _of_members(document: dict[str, Any], keys: list[str], rows: int) -> list[Column]:
    found: dict[str, Column] = {}
    for key in keys:
        columns = of_member(document[key], predictions.UNNAMED if key in _PLAIN else key, rows)
        length = len(next(iter(found.values())).values) if found else None
        for column in columns:
            if length is None or len(column.values) == length:
                found.setdefault(column.name, column)
    return list(found.values())


def of_member(value: Any, name: str, rows: int) -> list[Column]:
    """Columns of one member: a list as long as there are rows has one prediction for each."""
    if type(value) is list:
        if not value:
            raise Undecodable(Undecoded.NO_ROWS, "the list of predictions is empty")
        one_row = rows == 1 and len(value) > 1 and not {dict, list} & set(map(type, value))
        return predictions.of_row(value, name) if one_row else predictions.of_values(value, name)
    return predictions.of_values(value, name)


def _name_model(inference: Inference, document: dict[str, Any]) -> None:
    model = inference.model
    name = model.name or body.text_of(document.get("model_name")) or body.text_of(document.get("model"))
    inference.model = ModelRef(name, model.version or body.text_of(document.get("model_version")))
