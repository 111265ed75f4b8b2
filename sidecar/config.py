"""The configuration: flags over environment over file, and every problem of all three at once.

`load` gives Settings or raises ConfigError with one sentence per problem. Settings travel to the other
processes as JSON (`model_dump_json`, `model_validate_json`). The trap: a Kubernetes Service named
`sidecar` puts SIDECAR_PORT and the like into every pod, so unknown variables are warned of, no more.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from sidecar import config_file, config_problems
from sidecar.address import Address
from sidecar.config_file import Path, Problem
from sidecar.config_schema import Settings
from sidecar.config_values import address
from sidecar.errors import ConfigError

__all__ = ["PREFIX", "Settings", "load", "missing_files"]

PREFIX = "SIDECAR_"
# Ours too, but about how to find the settings, not settings themselves.
_NOT_SETTINGS = frozenset({"SIDECAR_CONFIG", "SIDECAR_TEE"})


def load(path: str | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings in use. Raises ConfigError with every problem found.

    `flags` are by dotted key ("upstream", "state.dir"); None means not given. Paths in the file are
    relative to the file, others to the working directory.
    """
    layers = _Layers(path or "configuration")
    if path is not None:
        layers.add_file(path)
    layers.add_environment(env)
    layers.add_flags(flags)
    found = [*layers.problems, *_contradictions(layers.tree)]
    try:
        settings = Settings.model_validate(layers.tree)
    except ValidationError as error:
        found += config_problems.problems(error)
        raise ConfigError(layers.sentences(found)) from None
    if found:
        raise ConfigError(layers.sentences(found))
    settings._warnings = tuple(layers.warnings)
    return settings


def missing_files(settings: Settings, where: str = "configuration") -> list[str]:
    """A sentence for each reference that is not there. Not part of `load`: a relay needs none of them."""
    references = {"reference": settings.reference}
    references |= {
        f"models.{model}.reference": section.reference for model, section in settings.models.items()
    }
    return [
        f"{where}: {key}: no file at {path}; make one with: sidecar profile DATA -o {os.path.basename(path)}"
        for key, path in references.items()
        if path is not None and not os.path.isfile(path)
    ]


class _Layers:
    """The merged tree, and who said what in it."""

    def __init__(self, name: str) -> None:
        self.tree: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._name = name
        self._said_by: dict[Path, str] = {}

    def add_file(self, path: str) -> None:
        self.tree, self.problems = config_file.read(path)
        _anchor(self.tree, os.path.dirname(path))

    def add_environment(self, env: Mapping[str, str]) -> None:
        """SIDECAR_A__B sets a.b; a name of the user's own (a model's) matches in any case."""
        for variable in sorted(v for v in env if v.startswith(PREFIX)):
            path = self._spelling(tuple(variable.removeprefix(PREFIX).lower().split("__")))
            known = config_problems.allowed(path) is not None or config_problems.planned(path)
            if not known and variable not in _NOT_SETTINGS:
                self.warnings.append(f"{variable} is ignored: there is no such setting")
            elif known and env[variable]:
                self._set(path, _value(env[variable]), variable)

    def add_flags(self, flags: Mapping[str, Any]) -> None:
        """A flag is the dotted key with dashes: state.dir is --state-dir."""
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
                return ": ".join(filter(None, (self._said_by[path[:length]], _dotted(path[length:]))))
        return ": ".join(filter(None, (self._name, _dotted(path))))

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
        tree, problems = config_file.parse(f"value: {text}", "")
    except ConfigError:  # "[::1]:8000" begins like a list
        return text
    return text if problems else tree["value"]


def _anchor(tree: dict[str, Any], base: str) -> None:
    """Make the paths that the file gives relative to the file."""
    models = tree.get("models")
    sections = [tree, *(models.values() if isinstance(models, dict) else [])]
    places = [(section, "reference") for section in sections] + [(tree.get("state"), "dir")]
    for section, key in places:
        if isinstance(section, dict) and isinstance(section.get(key), str) and section[key]:
            section[key] = os.path.join(base, section[key])


def _contradictions(tree: dict[str, Any]) -> Iterator[Problem]:
    """Addresses that cannot all be right. Works on what can be read, whatever else is wrong."""
    routes = tree.get("routes")
    if isinstance(routes, list) and routes:
        for key in ("listen", "upstream"):
            if tree.get(key) is not None:
                yield (key,), "not allowed besides routes; put it into a route"
        pairs: list[tuple[Path, Any]] = [(("routes", i), route) for i, route in enumerate(routes)]
    else:
        pairs = [((), {"listen": Settings().listen, **{k: v for k, v in tree.items() if v is not None}})]
    taken: list[tuple[Address, Path]] = []
    admin = _readable(tree.get("admin") or Settings().admin)
    if admin is not None:
        taken.append((admin, ("admin",)))
    for path, route in pairs:
        listen = _readable(route.get("listen") if isinstance(route, dict) else None)
        for other, used in taken:
            if listen is not None and listen.overlaps(other):
                yield (*path, "listen"), f"{listen} is taken by {_dotted(used)}; give another port"
                break
        else:
            if listen is not None:
                taken.append((listen, (*path, "listen")))
    for path, route in pairs:
        upstream = _readable(route.get("upstream") if isinstance(route, dict) else None)
        yield from _upstream((*path, "upstream"), upstream, taken)


def _upstream(path: Path, upstream: Address | None, taken: list[tuple[Address, Path]]) -> Iterator[Problem]:
    if upstream is None:
        return
    if not upstream.is_unix and upstream.port == 0:
        yield path, f"{upstream} has no port to connect to; give the model server's"
    for other, used in taken:
        if upstream.overlaps(other):
            what = f"{upstream} is where the sidecar itself listens ({_dotted(used)})"
            yield path, f"{what}; give the model server's address"


def _readable(value: Any) -> Address | None:
    try:
        return address(value)
    except ValueError:
        return None


def _dotted(path: Path) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text if text.isprintable() else ascii(text)
