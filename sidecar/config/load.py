"""The configuration: flags over environment over file, and every problem of all three at once.

`load` gives Settings or raises ConfigError with one sentence per problem. Settings travel to the other
processes as JSON (`model_dump_json`, `model_validate_json`). The trap: a Kubernetes Service named
`sidecar` puts SIDECAR_PORT and the like into every pod, so unknown variables are warned of, no more.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from sidecar.config import checks, file, problems
from sidecar.config.file import Path, Problem, dotted
from sidecar.config.schema import Settings
from sidecar.errors import ConfigError

__all__ = ["PREFIX", "Settings", "load"]

PREFIX = "SIDECAR_"
# Ours too, but about how to find the settings, not settings themselves.
_NOT_SETTINGS = frozenset({"SIDECAR_CONFIG", "SIDECAR_TEE"})


def load(
    path: str | None,
    env: Mapping[str, str],
    flags: Mapping[str, Any],
    *,
    upstream: bool = False,
    reference: Callable[[str], object] | None = None,
) -> Settings:
    """The settings in use. Raises ConfigError with every problem found.

    `flags` are by dotted key ("upstream", "drain.grace"); None means not given. Paths in the file are
    relative to the file, others to the working directory. `upstream` asks that there is one;
    `reference` is called with the path of each reference and raises SidecarError if it is unusable.
    """
    layers = _Layers(path or "")
    if path is not None:
        layers.add_file(path)
    layers.add_environment(env)
    layers.add_flags(flags)
    return _settle(layers, upstream, reference)


def _settle(layers: "_Layers", upstream: bool, reference: Callable[[str], object] | None) -> Settings:
    """Settings out of the merged layers, or every problem there is."""
    settings, wrong = _validated(layers.tree)
    found = [*layers.problems, *checks.addresses(layers.tree)]
    if upstream:
        found += checks.no_upstream(layers.tree)
    # Files are looked for only where what is said can be the path of one.
    tree = _without([path for path, _ in wrong], layers.tree)
    if upstream or reference is not None:
        found += checks.certificates(tree)
        found += checks.salt(tree)
        found += checks.headers(tree)
        found += checks.token(tree)
    if reference is not None:
        found += checks.references(tree, reference)
    if settings is None or found:
        raise ConfigError(layers.sentences([*found, *wrong]))
    if reference is not None:
        layers.warnings += layers.sentences(list(checks.state(tree)))
    settings._warnings = tuple(layers.warnings)
    return settings


def _validated(tree: dict[str, Any]) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(tree), []
    except ValidationError as error:
        return None, problems.problems(error)


def _without(paths: list[Path], tree: dict[str, Any]) -> dict[str, Any]:
    """The tree but for what stands at these paths, as far as they go through mappings."""
    kept = dict(tree)
    for key in tree:
        below = [path[1:] for path in paths if path[:1] == (key,)]
        if () in below:
            del kept[key]
        elif below and isinstance(tree[key], dict):
            kept[key] = _without(below, tree[key])
    return kept


class _Layers:
    """The merged tree, and who said what in it."""

    def __init__(self, name: str) -> None:
        self.tree: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._name = name
        self._said_by: dict[Path, str] = {}

    def add_file(self, path: str) -> None:
        self.tree, self.problems = file.read(path)
        _anchor(self.tree, os.path.dirname(path))

    def add_environment(self, env: Mapping[str, str]) -> None:
        """SIDECAR_A__B sets a.b; a name of the user's own (a model's) matches in any case."""
        ignored: list[str] = []
        for variable in sorted(v for v in env if v.startswith(PREFIX)):
            path = self._spelling(tuple(variable.removeprefix(PREFIX).lower().split("__")))
            known = problems.allowed(path) is not None or problems.planned(path)
            if not known and variable not in _NOT_SETTINGS:
                ignored.append(variable)
            elif known and env[variable]:
                self._set(path, _value(env[variable]), variable)
        if ignored:
            self.warnings.append(f"there is no such setting: {', '.join(ignored)} (ignored)")

    def add_flags(self, flags: Mapping[str, Any]) -> None:
        """A flag is the dotted key with dashes: drain.grace is --drain-grace."""
        for key, value in flags.items():
            if value is not None:
                flag = "--" + key.replace(".", "-").replace("_", "-")
                self._set(tuple(key.split(".")), str(value), flag)

    def sentences(self, found: list[Problem]) -> list[str]:
        """Each problem with where it is: the file and the key, or the variable, or the flag."""
        return list(dict.fromkeys(f"{self._where(path)}: {sentence}" for path, sentence in found))

    def _where(self, path: Path) -> str:
        for length in range(len(path), 0, -1):
            if path[:length] in self._said_by:
                return ": ".join(filter(None, (self._said_by[path[:length]], dotted(path[length:]))))
        below = [source for said, source in self._said_by.items() if path and said[: len(path)] == path]
        return below[0] if below else ": ".join(filter(None, (self._name, dotted(path))))

    def _set(self, path: Path, value: Any, source: str) -> None:
        here = self.tree
        for key in path[:-1]:
            below = here.get(str(key))
            if below is None:
                below = here[str(key)] = {}
            if not isinstance(below, dict):
                return  # the file has no mapping there, which is reported anyway
            here = below
        here[str(path[-1])] = value
        self._said_by[path] = source

    def _spelling(self, path: Path) -> Path:
        """`path` with the spelling of the file where it differs in case only."""
        here: Any = self.tree
        spelt: list[str | int] = []
        for key in path:
            names = [name for name in here if name.lower() == key] if isinstance(here, dict) else []
            spelt.append(names[0] if names and key not in names else key)
            here = here.get(spelt[-1]) if isinstance(here, dict) else None
        return tuple(spelt)


def _value(text: str) -> Any:
    """A list or mapping when the text is one in YAML's inline form, else the text itself."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        tree, problems = file.parse(f"value: {text}", "")
    except ConfigError:  # "[::1]:8000" begins like a list
        return text
    return text if problems else tree["value"]


def _anchor(tree: dict[str, Any], base: str) -> None:
    """Make the paths that the file gives relative to the file."""
    models = tree.get("models")
    sections = [tree, *(models.values() if isinstance(models, dict) else [])]
    for section in sections:
        _anchor_keys(section, base, ("reference",))
    for key in ("tls", "upstream_tls"):
        _anchor_keys(tree.get(key), base, ("cert", "key", "ca", "client_ca"))
    _anchor_keys(tree.get("state"), base, ("dir",))
    _anchor_keys(tree, base, ("admin_token_file",))
    otlp = tree.get("otlp")
    _anchor_keys(otlp, base, ("headers_file",))
    _anchor_keys(otlp.get("logs") if isinstance(otlp, dict) else None, base, ("salt_file",))


def _anchor_keys(section: Any, base: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        if isinstance(section, dict) and isinstance(section.get(key), str) and section[key]:
            section[key] = os.path.join(base, section[key])
