"""TensorFlow's Example, and what Classify, Regress and MultiInference answer.

Source: tensorflow/core/example/feature.proto; tensorflow_serving/apis: input.proto, classification.proto,
regression.proto. An example is a row, but it names its features as it likes, and lists them where one is
not enough. The trap: features of the context belong to every example.
"""

import struct
from typing import Any

from sidecar.decoders import columns, raw_tensors, tensorflow_rest
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Message
from sidecar.decoders.stack import Table
from sidecar.inference import Column, Undecoded

# Input: one of them. Of ExampleListWithContext: 1 examples, 2 context.
_LIST, _LIST_WITH_CONTEXT = 1, 2
_EXAMPLES, _CONTEXT = 1, 2
# Feature: one of them.
_BYTES, _FLOATS, _INTEGERS = 1, 2, 3
# A Feature that is one float: its list, of six bytes, and in it the values, of four.
_FLOAT_FEATURE = struct.Struct("<4sf")
_FLOAT_TAGS = b"\x12\x06\x0a\x04"


def rows_of(given: Message) -> Table:
    """Rows and columns of an Input: `name`, or `name[i]` where every example lists several values.

    Raises Undecodable: no_rows, too_many_rows, too_wide.
    """
    with_context = given.message(_LIST_WITH_CONTEXT)
    examples = given.message(_LIST).messages(_EXAMPLES) + with_context.messages(_EXAMPLES)
    context = _features(with_context.message(_CONTEXT))
    columns.check_rows(len(examples))
    columns.check_cells(len(examples) * len(context))
    found = columns.of_records([{**context, **_features(example)} for example in examples])
    spread = [part for column in found for part in _spread(column)]
    columns.check_width(len(spread))
    return len(examples), columns.unique(spread)


def of_classifications(result: Message) -> list[Column]:
    """The best class of each example, and its score."""
    pairs = [
        [[one.text(1), float(one.numbers(2, "float").sum())] for one in classes.messages(1)]
        for classes in result.messages(1)
    ]
    if not all(pairs):
        raise Undecodable(Undecoded.SHAPE, "an example has no classes")
    return tensorflow_rest.of_results(pairs)


def of_regressions(result: Message) -> list[Column]:
    """The value of each example."""
    # A value of 0 is left out on the wire.
    values = [float(one.numbers(1, "float").sum()) for one in result.messages(1)]
    return tensorflow_rest.of_results(values)


def _features(example: Message) -> dict[str, Any]:
    """Name and value of each feature of an Example: a scalar if there is one value, a list if several."""
    found: dict[str, Any] = {}
    for name, entry in example.message(1).entries(1):
        feature = entry.span(2)
        if len(feature) == _FLOAT_FEATURE.size and feature[:4] == _FLOAT_TAGS:
            found[name] = _FLOAT_FEATURE.unpack(feature)[1]  # nearly always
            continue
        values = _values(entry.message(2))
        if values:
            found[name] = values[0] if len(values) == 1 else values
    return found


def _values(feature: Message) -> list[Any]:
    if feature.has(_BYTES):
        return [raw_tensors.text_of(element) for element in feature.message(_BYTES).spans(1)]
    if feature.has(_FLOATS):
        return list(feature.message(_FLOATS).numbers(1, "float").tolist())
    return feature.message(_INTEGERS).integers(1)


def _spread(column: Column) -> list[Column]:
    values = list(column.values)
    if all(type(value) is list for value in values):
        return columns.of_lists(values, column.name, column.name)
    return [column]
