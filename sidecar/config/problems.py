"""Turns what pydantic found into sentences in the user's words. No I/O.

Also answers what may stand at a path of the file, which is how keys are suggested and how the name of
an environment variable is known to be ours.
"""

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

from pydantic import ValidationError

from sidecar.config.file import Path, Problem
from sidecar.config.schema import Settings
from sidecar.config.section import Section
from sidecar.config.values import shown

NOT_YET = "not supported by this version; leave it out"
_KEYS_LISTED = 12


def problems(error: ValidationError) -> list[Problem]:
    """One sentence per problem, each with the path of its key."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        path, context = _of_user(detail["loc"]), detail.get("ctx", {})
        if detail["type"] == "conflicts":
            for key, sentence in context["conflicts"]:
                found.append(((*path, *((key,) if isinstance(key, str) else key)), sentence))
        else:
            found.append((path, _sentence(detail["type"], path, detail["input"], context)))
    return found


def _of_user(where: Path) -> Path:
    """The path as the file has it: of a name that is wrong itself, pydantic says so in a step of its own."""
    return where[:-1] if len(where) > 1 and where[-1] == "[key]" else where


def _sentence(kind: str, path: Path, value: Any, context: dict[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"missing; give {_example(path)}"
    wanted = allowed(path)
    if _is_section(wanted):
        return f"{shown(value)} is not allowed; give a mapping with keys such as {', '.join(_keys(wanted))}"
    if get_origin(wanted) is list:
        return f"{shown(value)} is not allowed; give a list, such as [a, b]"
    if get_origin(wanted) is dict:
        return f"{shown(value)} is not allowed; give a mapping of names"
    return f"{shown(value)} is not allowed here"


def _unknown(path: Path) -> str:
    section, key = allowed(path[:-1]), str(path[-1])
    if not _is_section(section):
        return "not a key that exists"
    if key in section.later:
        return NOT_YET
    if key == "<<":
        return "no such key; merge keys are not supported, write the keys out"
    near = difflib.get_close_matches(key.lower().replace("-", "_"), list(section.model_fields), n=1)
    elsewhere = [known for known in all_keys() if known.split(".")[-1] == key and "<" not in known]
    if near or elsewhere:
        prefix = "".join(f"{part}." for part in path[:-1])
        return f"no such key; did you mean {prefix + near[0] if near else elsewhere[0]}?"
    keys = _keys(section)
    return f"no such key; {'the only key here is' if len(keys) == 1 else 'keys here are'} {', '.join(keys)}"


def _example(path: Path) -> str:
    section = allowed(path[:-1])
    fields = section.model_fields if _is_section(section) else {}
    examples = fields[str(path[-1])].examples if str(path[-1]) in fields else None
    return f"a value such as {examples[0]}" if examples else "a value"


def _keys(section: type[Section]) -> list[str]:
    keys = list(section.model_fields)
    return keys if len(keys) <= _KEYS_LISTED else [*keys[:_KEYS_LISTED], "…"]


def allowed(path: Path) -> Any:
    """What may stand at `path`: a Section, `list[…]`, `dict[…]`, the type of a single value, or None."""
    here: Any = Settings
    for key in path:
        here = _below(here, str(key))
        if here is None:
            return None
    return here


def planned(path: Path) -> bool:
    """Whether `path` is, or lies under, a key that a later version will have."""
    for depth, key in enumerate(path):
        section = allowed(path[:depth])
        if _is_section(section) and key in section.later:
            return True
    return False


def _below(here: Any, key: str) -> Any:
    if _is_section(here):
        field = here.model_fields.get(key)
        return None if field is None else _plain(field.annotation)
    if get_origin(here) is dict:
        return _plain(get_args(here)[1])
    if get_origin(here) is list:
        return _plain(get_args(here)[0]) if key.isdigit() else None
    return None


def _is_section(wanted: Any) -> TypeGuard[type[Section]]:
    return isinstance(wanted, type) and issubclass(wanted, Section)


def _plain(annotation: Any) -> Any:
    """The annotation without `| None` and without Annotated."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation


def all_keys(section: type[Section] = Settings, prefix: str = "") -> Iterator[str]:
    """Every key with its dotted path; `<name>` stands for names that the user chooses."""
    for key in section.model_fields:
        yield prefix + key
        below, path = _below(section, key), prefix + key
        if get_origin(below) is dict:
            below, path = _below(below, ""), f"{path}.<name>"
        elif get_origin(below) is list:
            below, path = _below(below, "0"), f"{path}[]"
        if _is_section(below):
            yield from all_keys(below, f"{path}.")
