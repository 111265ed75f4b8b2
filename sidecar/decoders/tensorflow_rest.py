"""What TensorFlow Serving's REST interface has beyond KServe's V1: column form, examples, results, b64.

Source: tensorflow/serving, g3doc/api_rest.md and util/json_tensor.cc. Both protocols live on the same paths
and share a decoder (`kserve_v1`); this is its vocabulary. The trap: in column form the inputs are tensors
of their own, and one of another batch size (a threshold, a vocabulary) is no error.
"""

from typing import Any

from sidecar.decoders import columns, predictions
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded


def is_b64(value: Any) -> bool:
    """Whether a JSON value is `{"b64": …}`: bytes, which are no feature whatever their length."""
    return type(value) is dict and len(value) == 1 and "b64" in value


def of_inputs(inputs: dict[str, Any]) -> tuple[int, list[Column]]:
    """Rows and columns of an object of tensors; those of another batch size than the largest have none."""
    columns.check_width(len(inputs))
    batches = {name: value if type(value) is list else [value] for name, value in inputs.items()}
    rows = columns.check_rows(max(map(len, batches.values()), default=0))
    found = []
    for name, batch in batches.items():
        if len(batch) == rows:
            # An object where a tensor should be is bytes, or a tensor as another server writes it.
            whole = type(batch[0]) is dict
            found += [Column(name, batch)] if whole else columns.of_rows(batch, name, name)
    columns.check_width(len(found))
    return rows, columns.unique(found)


def of_outputs(outputs: dict[str, Any]) -> list[Column]:
    """Outputs in column form, but for bytes."""
    found = of_inputs(outputs)[1]
    return [column for column in found if type(column.values[0]) is not dict][: columns.MAX_COLUMNS]


def joined(document: dict[str, Any]) -> list[Any]:
    """The `examples` of classify and regress, each joined with the features of their `context`."""
    examples, context = document["examples"], document.get("context") or {}
    if type(examples) is not list or type(context) is not dict:
        raise Undecodable(Undecoded.SHAPE, "examples are not a list, or their context no object")
    if any(type(example) is not dict for example in examples):
        raise Undecodable(Undecoded.SHAPE, "an example is not an object")
    columns.check_cells(len(examples) * len(context))
    return [{**context, **example} for example in examples] if context else examples


def of_results(results: Any) -> list[Column]:
    """A number per example (regress), or its [label, score] pairs (classify): the best of them."""
    if type(results) is not list or not all(_are_pairs(pairs) for pairs in results):
        return predictions.of_values(results)
    best = [max(range(len(pairs)), key=lambda i, p=pairs: p[i][1]) for pairs in results]  # type: ignore[misc]
    # A label may be empty: then the position is the class.
    labels = [pairs[i][0] or str(i) for i, pairs in zip(best, results, strict=True)]
    scores = [pairs[i][1] for i, pairs in zip(best, results, strict=True)]
    return [Column("label", labels), Column("score", scores)]


def _are_pairs(pairs: Any) -> bool:
    return (
        type(pairs) is list
        and bool(pairs)
        and all(type(p) is list and len(p) == 2 and type(p[1]) in (int, float) for p in pairs)
    )
