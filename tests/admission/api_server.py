"""A stand-in for the API server that the webhook asks: it lists Services and keeps events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Object = dict[str, Any]


@dataclass
class ApiServer:
    """`services` by namespace; a `status` other than 200 is what it answers instead."""

    url: str = ""
    account: Path = Path()
    services: dict[str, list[Object]] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    asked: list[str] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.tokens.append(request.headers["Authorization"])
        if self.body is not None or self.status != 200:
            return web.Response(status=self.status, body=self.body or b"{}")
        if request.method == "POST":
            self.events.append(await request.json())
            return web.json_response(self.events[-1], status=201)
        namespace = request.match_info["namespace"]
        return web.json_response({"kind": "ServiceList", "items": self.services.get(namespace, [])})


@asynccontextmanager
async def api_server(directory: Path) -> AsyncIterator[ApiServer]:
    """It, on loopback with TLS, and a service account for it."""
    import ssl

    from tests.relay.certificates import authority

    signer = authority(directory, "cluster")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*signer.issue("kubernetes"))
    account = directory / "account"
    account.mkdir()
    (account / "ca.crt").write_text(Path(signer.ca).read_text())
    (account / "token").write_text("first\n")
    found = ApiServer(account=account)
    app = web.Application()
    app.router.add_route("*", "/api/v1/namespaces/{namespace}/{kind:services|events}", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.url = f"https://localhost:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
