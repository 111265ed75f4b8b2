"""What is wrong between settings rather than with one of them: addresses that meet, files that are not there.

Works on the tree as it was read, so that these problems are found whatever else is wrong.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from sidecar.address import Address
from sidecar.admin.token import read_token
from sidecar.config import otlp_headers
from sidecar.config.file import Path, Problem, dotted
from sidecar.config.schema import Settings
from sidecar.config.telemetry import salt_problem
from sidecar.config.values import address
from sidecar.errors import SidecarError
from sidecar.relay.tls import ClientTls, ServerTls


def no_upstream(tree: dict[str, Any]) -> Iterator[Problem]:
    """A problem when there is nothing to relay to, nor anybody else who brings exchanges."""
    if not (tree.get("upstream") or tree.get("routes") or tree.get("redirect") or _ingests(tree)):
        yield ("upstream",), "missing; say where the model server is: --upstream host:port"


def references(tree: dict[str, Any], check: Callable[[str], object]) -> Iterator[Problem]:
    """A problem for each reference that is not there, or of which `check` raises SidecarError."""
    models = tree.get("models")
    places: list[tuple[Path, Any]] = [((), tree)]
    places += (
        [(("models", name), model) for name, model in models.items()] if isinstance(models, dict) else []
    )
    for path, section in places:
        file = section.get("reference") if isinstance(section, dict) else None
        if isinstance(file, str):
            yield from _reference((*path, "reference"), file, check)


def _reference(path: Path, file: str, check: Callable[[str], object]) -> Iterator[Problem]:
    if not os.path.isfile(file):
        place = file if file.isprintable() else ascii(file)
        name = os.path.basename(file) if file.isprintable() else ""
        name = name or "reference.json"
        yield path, f"no file at {place}; make one with: sidecar profile DATA -o {name}"
        return
    try:
        check(file)
    except SidecarError as error:
        for problem in str(error).splitlines():
            yield path, problem


def salt(tree: dict[str, Any]) -> Iterator[Problem]:
    """A problem when the key of hashed fields is not there, or too short."""
    otlp = tree.get("otlp")
    logs = otlp.get("logs") if isinstance(otlp, dict) else None
    path = logs.get("salt_file") if isinstance(logs, dict) else None
    if isinstance(path, str) and path and (problem := salt_problem(path)):
        yield ("otlp", "logs", "salt_file"), problem


def headers(tree: dict[str, Any]) -> Iterator[Problem]:
    """A problem when the file of headers is not there, or holds something else."""
    otlp = tree.get("otlp")
    path = otlp.get("headers_file") if isinstance(otlp, dict) else None
    if isinstance(path, str) and path and (problem := otlp_headers.problem(path)):
        yield ("otlp", "headers_file"), problem


def token(tree: dict[str, Any]) -> Iterator[Problem]:
    """A problem when the token that lets clients post labels is not there, or is none."""
    path = tree.get("admin_token_file")
    if isinstance(path, str) and path:
        try:
            read_token(path)
        except SidecarError as error:
            yield ("admin_token_file",), str(error)


def state(tree: dict[str, Any]) -> Iterator[Problem]:
    """Why nothing could be kept in `state.dir`, here and by this user; a sidecar runs without it."""
    section = tree.get("state")
    path = section.get("dir") if isinstance(section, dict) else None
    if isinstance(path, str) and path.isprintable() and (problem := _unkept(path)):
        yield ("state", "dir"), problem


def _unkept(path: str) -> str:
    """What is wrong with the directory at `path`; "" if nothing is."""
    missing, here = not os.path.lexists(path), path
    while not os.path.lexists(here):
        here = os.path.dirname(os.path.abspath(here))
    if not os.path.isdir(here):
        return f"{here} is no directory; nothing would survive a restart"
    if not os.access(here, os.R_OK | os.W_OK | os.X_OK):
        made = "made" if missing else "written to"
        return f"{path} cannot be {made} by this user (uid {os.geteuid()}); nothing would survive a restart"
    return f"no directory at {path}; it is made when the sidecar starts" if missing else ""


def addresses(tree: dict[str, Any]) -> Iterator[Problem]:
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
    for path, ingest in _ingests(tree):
        for other, used in taken:
            if ingest.overlaps(other):
                yield path, f"{ingest} is taken by {dotted(used)}; give another port"
        taken.append((ingest, path))
    for path, route in pairs:
        listen = _readable(route.get("listen") if isinstance(route, dict) else None)
        for other, used in taken:
            if listen is not None and listen.overlaps(other):
                yield (*path, "listen"), f"{listen} is taken by {dotted(used)}; give another port"
                break
        else:
            if listen is not None:
                taken.append((listen, (*path, "listen")))
    for path, route in pairs:
        upstream = _readable(route.get("upstream") if isinstance(route, dict) else None)
        yield from _upstream((*path, "upstream"), upstream, taken)


def _ingests(tree: dict[str, Any]) -> list[tuple[Path, Address]]:
    """The addresses of `ingest` that can be read."""
    section = tree.get("ingest")
    found = [(("ingest", k), _readable(v)) for k, v in section.items()] if isinstance(section, dict) else []
    return [(path, address) for path, address in found if address is not None]


def _upstream(path: Path, upstream: Address | None, taken: list[tuple[Address, Path]]) -> Iterator[Problem]:
    if upstream is None:
        return
    if not upstream.is_unix and upstream.port == 0:
        yield path, f"{upstream} has no port to connect to; give the model server's"
    for other, used in taken:
        if upstream.overlaps(other):
            what = f"{upstream} is where the sidecar itself listens ({dotted(used)})"
            yield path, f"{what}; give the model server's address"


def _readable(value: Any) -> Address | None:
    try:
        return address(value)
    except ValueError:
        return None


def certificates(tree: dict[str, Any]) -> Iterator[Problem]:
    """A problem for each TLS section whose files cannot be used as they are."""
    makers: dict[str, Callable[[dict[str, Any]], object]] = {
        "tls": lambda section: ServerTls(**section).context(),
        "upstream_tls": lambda section: ClientTls(**section).context(""),
    }
    for key, make in makers.items():
        section = tree.get(key)
        if not isinstance(section, dict):
            continue
        files = {k: v for k, v in section.items() if k in ("cert", "key", "ca", "client_ca") and v}
        missing = [k for k, v in files.items() if not os.path.isfile(v)]
        for name in missing:
            yield (key, name), f"no file at {files[name]}"
        if not missing:
            try:
                make(files)
            except (OSError, TypeError) as error:  # TypeError: a key is missing, which is said elsewhere
                if isinstance(error, OSError):
                    yield (key,), f"these files cannot be used together: {error.strerror or error}"
