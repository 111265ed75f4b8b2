"""Where rows usually are in JSON of no known protocol: there is no rule here, only habits.

Lists of objects or lists are rows, an object of scalars is one, names and rows may come apart, and what
everybody wraps (`data`, `features`, `df`) is unwrapped. Says which habit it followed.
"""

from collections.abc import Collection
from typing import Any

from sidecar.decoders import columns, kserve_v1, open_inference
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Inference, Undecoded

# Members that hold the features when their neighbours are options, ids and thresholds.
_CONTAINERS = (
    "features", "instance", "input", "inputs", "data", "row", "rows", "record", "records", "samples",
    "sample", "X", "payload", "df", "dataframe",
)  # fmt: skip
# Names and rows apart: pandas' split orientation, Seldon's ndarray, and what people make up.
_SPLITS = (
    ("columns", "data"), ("columns", "rows"), ("columns", "values"), ("names", "ndarray"),
    ("feature_names", "data"), ("feature_names", "values"),
)  # fmt: skip
# `{"data": {"df": {…}}}` is the deepest wrapping seen in the wild.
_DEEPEST = 3

Found = tuple[int, list[Column], str]


def find_rows(document: Any, name: str = "input", depth: int = 0) -> Found:
    """Rows, columns and the habit they were found by. Raises Undecodable."""
    if type(document) is list:
        return _of_list(document, name)
    if type(document) is not dict:
        return 1, [Column(f"{name}[0]", [document])], "it is one value"
    for names, data in _SPLITS:
        if type(document.get(names)) is list and type(document.get(data)) is list:
            rows = document[data]
            return len(rows), columns.of_table(document[names], rows), "names and rows apart"
    if open_inference.is_request(document) or "instances" in document:
        return _of_protocol(document)
    return _of_object(document, depth)


def _of_protocol(document: dict[str, Any]) -> Found:
    """A body of a known protocol on a path that is not its own (Vertex AI lets one choose the path)."""
    inference = Inference("")
    if open_inference.is_request(document):
        open_inference.fill_features(inference, document)
        return inference.rows, inference.features, "its inputs are Open Inference tensors"
    kserve_v1.fill_features(inference, document)
    return inference.rows, inference.features, "it has instances"


def _of_list(values: list[Any], name: str) -> Found:
    """A list of objects, lists or texts is a row each; any other list is one row."""
    columns.check_rows(len(values))
    kinds = set(map(type, values))
    if dict in kinds or list in kinds or kinds == {str}:
        lone = "" if name == "input" else name
        return len(values), columns.of_rows(values, name, lone), "a list of rows"
    return 1, columns.of_lists([values], name), "a list is one row"


def _of_object(document: dict[str, Any], depth: int) -> Found:
    """The first list of objects or lists is rows; else columns; else what a container holds; else a row."""
    if not document:
        raise Undecodable(Undecoded.NO_ROWS, "the body is an empty object")
    for key, value in document.items():
        if type(value) is list and set(map(type, value)) in ({dict}, {list}):
            return _of_list(value, key)
    if len(document) > 1 and _are_columns(document.values()):
        return *columns.of_columns(document), "an object of columns"
    inner = _container(document)
    if inner is not None and depth < _DEEPEST:
        return find_rows(document[inner], inner, depth + 1)
    return 1, columns.of_records([document]), "the object is one row"


def _are_columns(values: Collection[Any]) -> bool:
    return all(type(value) is list for value in values) and len(set(map(len, values))) == 1


def _container(document: dict[str, Any]) -> str | None:
    """The member that holds the features rather than being one."""
    for key in document if len(document) == 1 else _CONTAINERS:
        if type(document.get(key)) in (dict, list) and document[key]:
            return key
    return None
