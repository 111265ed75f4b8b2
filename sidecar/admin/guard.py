"""Who may ask, and what a browser may do with the answer.

The admin port is for scrapers, probes and people of the cluster. A browser inside it must not become
somebody else's hand: a page of another origin gets nothing (no CORS header, ever), and a name that
somebody points at our address (DNS rebinding) is not answered.
"""

import ipaddress
import logging
import os
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.sockets import for_others, is_local

# Names that public DNS cannot give out: cluster, link-local and private zones.
_PRIVATE_ZONES = (".svc", ".cluster.local", ".local", ".internal", ".localhost", ".home.arpa")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "sidecar",
}

# What proxies add; names of headers are compared without case.
_PROXIED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

_log = logging.getLogger(__name__)


def private_host(host: str, allowed: Collection[str] = ()) -> bool:
    """Whether a Host header is a name we may be reached by: an address, a private name or one allowed.

    A name without a dot cannot be bought, so it is private: `localhost`, a service, a pod. "" (HTTP/1.0)
    comes from no browser.
    """
    name = _name(host)
    if name is None:
        return False
    if not name or "." not in name or name in allowed or name.endswith(_PRIVATE_ZONES):
        return True
    return _is_address(name)


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the host that was asked."""
    return urlsplit(origin).netloc.lower() == host.lower() if _parses(origin) else False


def guard(allowed: Collection[str], open_paths: Collection[str], endpoints: Sequence[str]) -> Middleware:
    """Middleware that refuses foreign hosts and origins, and words every error as JSON.

    `open_paths` (probes) are answered whatever the host: nothing may keep a pod from being ready.
    `endpoints` is what who asks for something else is told of.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if request.path not in open_paths:
            if not private_host(host, allowed):
                return problem(421, "this name is not ours; use the address, or a name of the cluster")
            if origin is not None and not same_origin(origin, host):
                return problem(403, "pages of other origins may not ask")
        return await _answer(request, handler, endpoints)

    return check


def from_here(request: web.Request) -> bool:
    """Whether who asks is on this host: over loopback, or over a unix socket that is not for others.

    The supervisor, which has the admin port, passes clients of other hosts to `sockets.for_others`. Whom a
    proxy on this host speaks for is not believed, and a request that somebody spoke for is not from here.
    """
    if not is_local(request.get_extra_info("peername")) or any(name in request.headers for name in _PROXIED):
        return False
    name = request.get_extra_info("sockname")
    return not (isinstance(name, str | bytes) and os.fsdecode(name).endswith(for_others("")))


async def harden(_: web.Request, response: web.StreamResponse) -> None:
    """A signal for `on_response_prepare`: the headers every answer has."""
    response.headers.update(_HEADERS)


async def _answer(request: web.Request, handler: Handler, endpoints: Sequence[str]) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return problem(404, "no such endpoint", endpoints=endpoints)
    except web.HTTPException as error:
        response = problem(error.status, error.reason.lower())
        if allow := error.headers.get("Allow"):
            response.headers["Allow"] = allow
        return response
    except Exception as error:  # nobody is helped by a traceback, least of all over the wire
        _log.error("an admin request failed: %s", type(error).__name__)
        return problem(500, "this request failed")


def problem(code: int, error: str, **more: object) -> web.Response:
    """An error as one JSON sentence. `error` is ours, never the request's."""
    return web.json_response({"error": error, **more}, status=code)


def _name(host: str) -> str | None:
    if not _parses(f"//{host}"):
        return None
    parts = urlsplit(f"//{host}")
    # Anything but host and port (user@, a path) is nobody's honest Host header.
    if "@" in host or parts.path or parts.query or parts.fragment:
        return None
    return (parts.hostname or "").rstrip(".")


def _parses(url: str) -> bool:
    try:
        return urlsplit(url).port is not None or True
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
