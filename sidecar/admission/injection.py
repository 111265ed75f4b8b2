"""What is added to a pod, as the chart's template describes it: read once, filled in for each pod.

The file is the chart's (templates/_injection.tpl), the same that the policy is made of. The trap: a
`%name%` is always a whole text, never a part of one, so that nothing a pod says can become structure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sidecar.admission.interception import Interception
from sidecar.errors import ConfigError

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Injection:
    """The chart's values as far as pods are concerned. `sleep_seconds` 0 adds no preStop hook."""

    interception: Interception
    redirect_enabled: bool
    native: bool
    sleep_seconds: int
    inference_port: int
    admin_port: int
    containers: list[Object]
    redirect_container: Object
    volumes: list[Object]
    excluded_namespaces: frozenset[str]


def load(path: str) -> Injection:
    """The description in the file `path`. Raises ConfigError with one sentence."""
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {(error.strerror or str(error)).lower()}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: is no YAML; the chart writes it (injection.yaml)"]) from error
    if not isinstance(tree, dict):
        raise ConfigError([f"{path}: is no mapping; the chart writes it (injection.yaml)"])
    try:
        return _read(tree)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError([f"{path}: {error}: missing or of the wrong type; is it this chart's?"]) from error


def _read(tree: Object) -> Injection:
    return Injection(
        interception=Interception(tree["interception"]),
        redirect_enabled=_of(tree, "redirectEnabled", bool),
        native=_of(tree, "native", bool),
        sleep_seconds=_of(tree, "preStopSleepSeconds", int),
        inference_port=_of(tree["ports"], "inference", int),
        admin_port=_of(tree["ports"], "admin", int),
        containers=_objects(tree, "containers"),
        redirect_container=_of(tree, "redirectContainer", dict),
        volumes=_objects(tree, "volumes"),
        # A chart from before the key was there has the API server's selectors to rely on.
        excluded_namespaces=frozenset(map(str, tree.get("excludedNamespaces") or ())),
    )


def _of(tree: Object, key: str, kind: type) -> Any:
    value = tree[key]
    if not isinstance(value, kind):
        raise TypeError(key)
    return value


def _objects(tree: Object, key: str) -> list[Object]:
    items: list[Object] = _of(tree, key, list)
    if not all(isinstance(item, dict) and "name" in item for item in items):
        raise TypeError(key)
    return items


def filled(tree: Any, names: Mapping[str, str]) -> Any:
    """A copy of `tree` in which each text that is a key of `names` is what that says."""
    if isinstance(tree, str):
        return names.get(tree, tree)
    if isinstance(tree, dict):
        return {key: filled(value, names) for key, value in tree.items()}
    return [filled(item, names) for item in tree] if isinstance(tree, list) else tree
