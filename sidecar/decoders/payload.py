"""Where rows, predictions and ids are in JSON of no known protocol, as the operator says.

The expressions of the configuration come first, the habits of `generic_json` fill in what they leave out.
Not a decoder of `ALL`: there is one only where a `payload` is configured, and `configured` never asks it
about an exchange that a protocol recognises.
"""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sidecar.decoders import body, columns, generic_answer, generic_json, paths, predictions
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import UNKNOWN, Column, Inference, ModelRef, Operation, Undecoded
from sidecar.policy import PayloadRule

if TYPE_CHECKING:
    from sidecar.decoders.expression import Expression

_GENERIC = generic_json.GenericJson()
# An id longer than this is no id; it would only cost memory in whatever remembers it.
_LONGEST_ID = 256


class Payload:
    """The decoder that follows the rules of the configuration; the first that holds for a path counts."""

    name = "payload"

    def __init__(self, rules: Sequence[PayloadRule]) -> None:
        """`rules` have been checked: an expression that is none raises ValueError."""
        self._rules = [_Rule(rule) for rule in rules]

    def claim(self, method: str, path: str, media: str, guessed: Claim | None = None) -> Claim | None:
        """POST or PUT where a rule holds; `guessed` is what would be claimed without us."""
        if method not in ("POST", "PUT"):
            return None
        for rule in self._rules:
            if rule.paths is None and guessed is not None and guessed.protocol != UNKNOWN:
                why = "a payload is configured for JSON of no known protocol"
                return replace(guessed, protocol=self.name, evidence=why)
            if rule.paths is not None and rule.paths.match(path):
                operation = guessed.operation if guessed else Operation.PREDICT
                model = guessed.model if guessed and guessed.model.name else ModelRef(rule.for_model)
                return Claim(self.name, operation, model, "a payload is configured for this path")
        return None

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from where the rule finds rows; names, id and model if it says where they are."""
        headers = exchange.request_headers
        if body.media_of(headers.get("content-type", "")) == "text/csv":
            _GENERIC.read_request(exchange, inference)
            return
        rule, document = self._rule(exchange), body.document_of(exchange.request, headers)
        inference.request_id = _text(rule.id, document) or body.id_in(document) or inference.request_id
        _name_model(rule, document, inference)
        if rule.rows is None:
            inference.rows, inference.features, habit = generic_json.find_rows(document)
            inference.evidence += "; " + habit
            return
        found = rule.rows.search(document)
        if found is None:
            raise Undecodable(Undecoded.NO_ROWS, f"payload.rows: {rule.rows.text} finds nothing")
        inference.rows, inference.features = _columns(found, _names(rule, document))
        inference.evidence += f"; rows are at {rule.rows.text}"

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from where the rule finds predictions."""
        media = body.media_of(exchange.response_headers.get("content-type", ""))
        if exchange.streamed or media == "text/csv":
            _GENERIC.read_answer(exchange, inference)
            return
        rule = self._rule(exchange)
        document = body.document_of(exchange.response, exchange.response_headers)
        _name_model(rule, document, inference)
        inference.request_id = _text(rule.id, document) or inference.request_id
        if rule.predictions is None:
            generic_answer.fill(inference, document)
            return
        found = rule.predictions.search(document)
        if found is not None:
            inference.outputs = _outputs(found, inference.rows)
            return
        inference.error = body.error_of(document)
        if not inference.error:
            where = f"payload.predictions: {rule.predictions.text}"
            raise Undecodable(Undecoded.SHAPE, f"{where} finds nothing")

    def _rule(self, exchange: Exchange) -> "_Rule":
        path = paths.normal(exchange.target)
        return next(rule for rule in self._rules if rule.paths is None or rule.paths.match(path))


class _Rule:
    """A rule with its expressions ready."""

    def __init__(self, rule: PayloadRule) -> None:
        joined = "|".join(fnmatch.translate(pattern) for pattern in rule.paths)
        self.paths = re.compile(joined) if joined else None
        self.for_model = rule.for_model
        self.features = _expression(rule.features) if isinstance(rule.features, str) else rule.features
        self.rows = _expression(rule.rows)
        self.predictions = _expression(rule.predictions)
        self.id = _expression(rule.id)
        self.model = _expression(rule.model)
        self.version = _expression(rule.version)


def _expression(text: str) -> "Expression | None":
    if not text:
        return None
    from sidecar.decoders.expression import Expression  # brings jmespath, which few need

    return Expression(text)


def _text(expression: "Expression | None", document: Any) -> str:
    """What an expression finds, as an id or a name; "" for anything that is neither."""
    return "" if expression is None else body.text_of(expression.search(document))[:_LONGEST_ID]


def _name_model(rule: _Rule, document: Any, inference: Inference) -> None:
    """The model as a document has it. The answer comes after the request and knows better."""
    name = _text(rule.model, document) or inference.model.name
    inference.model = ModelRef(name, _text(rule.version, document) or inference.model.version)


def _names(rule: _Rule, document: Any) -> Sequence[Any]:
    if rule.features is None or isinstance(rule.features, tuple):
        return rule.features or ()
    found = rule.features.search(document)
    return found if isinstance(found, list) else ()


def _columns(found: Any, names: Sequence[Any]) -> tuple[int, list[Column]]:
    """A list has a row for each item, an object of lists is columns, anything else is one row."""
    if type(found) is dict and _is_table(found):
        return columns.of_columns(found)
    rows = found if type(found) is list else [found]
    if names and rows and not any(type(row) is dict for row in rows):
        return len(rows), columns.of_table(names, [row if type(row) is list else [row] for row in rows])
    return columns.check_rows(len(rows)), columns.of_rows(rows)


def _outputs(found: Any, rows: int) -> list[Column]:
    """As for rows; a list of scalars that answers one row is its scores."""
    if type(found) is dict and _is_table(found):
        return predictions.of_columns(found)
    return generic_answer.of_member(found, predictions.UNNAMED, rows)


def _is_table(found: dict[str, Any]) -> bool:
    lists = [value for value in found.values() if type(value) is list]
    return len(lists) == len(found) > 0 and len(set(map(len, lists))) == 1
