"""Reads one YAML file into mappings, lists and text, within bounds.

Every scalar stays the text the user wrote: `version: 3.10` is "3.10", `values: [no, se]` is not
[False, "se"], and a file and an environment variable are read alike. Tags are refused, so nothing is
ever constructed. The trap: aliases make a small file a huge tree, hence the budget of values.
"""

from typing import Any

import yaml

from sidecar.errors import ConfigError

# The largest honest file (a few hundred features for a dozen models) is a tenth of each of these.
MAX_FILE_BYTES = 256 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 20

Path = tuple[str | int, ...]
Problem = tuple[Path, str]

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_YAML_TAGS = tuple(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)


def read(path: str) -> tuple[dict[str, Any], list[Problem]]:
    """The tree in the file and what is wrong with single places of it.

    Raises ConfigError when there is no tree at all: no such file, not text, not YAML, too large.
    """
    return parse(_text(path), path)


def parse(text: str, name: str) -> tuple[dict[str, Any], list[Problem]]:
    """As `read`, for text; `name` is where problems are said to be."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        tree = _Converter()
        value = None if node is None else tree.convert(node, ())
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax(error, name)]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: a character that YAML does not allow; is this a text file?"]) from error
    except (RecursionError, _TooDeep) as error:
        raise ConfigError([f"{name}: nested too deeply; {MAX_DEPTH} levels are plenty"]) from error
    except _TooMany as error:
        raise ConfigError([f"{name}: more than {MAX_VALUES} values once aliases are expanded"]) from error
    if value is not None and not isinstance(value, dict):
        raise ConfigError([f"{name}: holds no settings; give keys and values, such as upstream: host:port"])
    return value or {}, tree.problems


class _TooDeep(Exception):
    pass


class _TooMany(Exception):
    pass


class _Converter:
    """Turns YAML nodes into plain values, counting every value as often as aliases repeat it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._values = 0

    def convert(self, node: yaml.Node, path: Path) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TooMany
        if len(path) > MAX_DEPTH:
            raise _TooDeep
        if node.tag not in _YAML_TAGS and node.tag != "!":
            self.problems.append((path, "a tag (!…) is not allowed; give the plain value"))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, i)) for i, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in _NULLS else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append((path, f"the key on line {line} is a list or a mapping; a key is text"))
                continue
            key = key_node.value
            if key in lines:
                first = lines[key]
                self.problems.append(((*path, key), f"given twice (lines {first} and {line}); keep one"))
                continue
            lines[key] = line
            mapping[key] = self.convert(value_node, (*path, key))
        return mapping


def dotted(path: Path) -> str:
    """The path as people write it: routes[0].listen."""
    text = ""
    for key in path:
        name = key if key != "" else "''"
        text += f"[{key}]" if isinstance(key, int) else f".{name}" if text else str(name)
    return text if text.isprintable() else ascii(text)


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from error
    except ValueError as error:  # a NUL in the path
        raise ConfigError([f"{path!r}: not the name of a file"]) from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB; is this the right file?"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path}:{line}: not UTF-8 text; save the file as UTF-8"]) from error


def _syntax(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not tabs" if "'\\t'" in what else ""
    if what.endswith("but found ':'"):
        hint = '; put a text that begins with a colon into quotes, such as ":8080"'
    return f"{where}: not valid YAML: {what}{hint}"
