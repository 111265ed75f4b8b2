"""Names for the columns of a matrix: traffic gives only places, a given reference knows more.

A step between decoders and monitors. The rule is strict, since a wrong name is worse than none: the reference
was given, not learnt; every feature of the request is a place in one and the same matrix; and the reference
has exactly as many features, none of which is a place itself. The trap: order. Columns are taken to be in the
order of the reference, which is that of the data it was made of; `features_from: traffic` turns this off.

What a server's metadata says of its inputs is not used: it names tensors, never the columns of one, and a
column that changes its name when somebody happens to ask for metadata breaks every series and reference.
"""

import re
from collections.abc import Mapping, Sequence

from sidecar.inference import Column, Inference
from sidecar.policy import Policies
from sidecar.reference import Reference
from sidecar.texts import sent

_PLACE = re.compile(r".*\[\d+\]|\d+")


class Naming:
    """Names the features of one inference after another; see above when it does."""

    def __init__(self, given: Mapping[str, Reference], default: Reference | None, policies: Policies) -> None:
        self._names = {model: _names(reference, policies, model) for model, reference in given.items()}
        self._default = _names(default, policies)
        self._excepted = {
            name for name, policy in policies.models.items() if policy.features_from == "traffic"
        }

    def name(self, inference: Inference) -> None:
        """Give the features their names, if they have none and the reference knows."""
        features, model = inference.features, inference.model.name
        if not features:
            return
        names = self._names.get(model, self._default)
        if len(names) != len(features) or model in self._excepted or not _is_matrix(features):
            return
        inference.features = [Column(name, c.values) for name, c in zip(names, features, strict=True)]


def _names(reference: Reference | None, policies: Policies, model: str = "*") -> tuple[str, ...]:
    """The names a reference can give; none if it has only places itself, or is not to give any."""
    if reference is None or policies.of(model).features_from == "traffic":
        return ()
    names = tuple(sent(reference.features))
    return () if any(_PLACE.fullmatch(name) for name in names) else names


def _is_matrix(features: Sequence[Column]) -> bool:
    """Whether the columns are all the places of one matrix, in order: `x[0]`, `x[1]`…, or `0`, `1`…"""
    first = features[0].name
    if first == "0":
        return all(column.name == str(i) for i, column in enumerate(features))
    matrix = first.removesuffix("0]")
    return matrix.endswith("[") and all(c.name == f"{matrix}{i}]" for i, c in enumerate(features))
