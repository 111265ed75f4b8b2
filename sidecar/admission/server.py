"""The admission webhook's HTTPS server: what the API server asks before a pod is created.

It answers every review with "allowed"; it is not asked about anything but pods that want a sidecar. Bodies,
connections in work and the time for one are bounded. The trap: a certificate is renewed while we run, and an
API server that finds an old one silently starts pods without us.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from sidecar import sockets
from sidecar.address import Address
from sidecar.admission.cluster import Cluster
from sidecar.admission.injection import Injection
from sidecar.admission.review import Answer, NoReview, Request, admit, asks, read, write
from sidecar.errors import ConfigError
from sidecar.relay.tls import RELOAD_SECONDS, Contexts, ServerTls

log = logging.getLogger(__name__)

# An API server takes requests of up to 3 MiB; around one pod there is little more than the pod.
MAX_BODY_BYTES = 3 * 1024 * 1024
# As many bodies are held at once; the rest wait their turn. The worst four fit into the limit of 128 Mi.
MAX_AT_ONCE = 4
# Less than the API server waits for us.
BODY_SECONDS = 4.0
_KEEPALIVE_SECONDS = 75.0
# Requests under way end by themselves before this.
_SHUTDOWN_SECONDS = 5.0

# aiohttp's own logger repeats the bytes of a bad request, with a traceback, as often as one is sent.
_SILENT = logging.Logger("aiohttp", logging.CRITICAL + 1)


@dataclass(slots=True)
class Webhook:
    """Answers reviews. `cluster` None believes what pods say of their Service."""

    injection: Injection
    cluster: Cluster | None = None
    draining: bool = False
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/mutate", self._mutate)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        return app

    async def _mutate(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS), self._turns:
                return await self._answer(await request.read())
        except TimeoutError:
            return web.Response(status=408, text="the body, or a turn to read it, took too long\n")
        except NoReview as error:
            # Without a uid there is no valid answer; failurePolicy Ignore lets the pod start.
            return web.Response(status=400, text=f"{error}\n")

    async def _answer(self, body: bytes) -> web.Response:
        review = read(body)
        services = None
        if self.cluster is not None and asks(review, self.injection):
            services = await self.cluster.services(review.namespace)
        answer = admit(review, self.injection, services)
        self._report(review, answer)
        return web.Response(body=write(review, answer), content_type="application/json")

    def _report(self, review: Request, answer: Answer) -> None:
        """Say what was done: names and our own sentences, nothing of the pod's contents."""
        if not answer.status:
            return
        name = _name(review)
        log.info("%s/%s%s: %s", review.namespace, name, " (dry run)" * review.dry_run, answer.status)
        if self.cluster is None or review.dry_run or review.pod is None:
            return
        for text in answer.warnings:
            self.cluster.tell(review.pod, review.namespace, text)

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(status=503, text="draining\n")
        return web.Response(text="ok\n")


def _name(review: Request) -> str:
    metadata = (review.pod or {}).get("metadata")
    if not isinstance(metadata, dict):
        return "?"
    return str(metadata.get("name") or metadata.get("generateName") or "?")[:253]


def certificate(cert: str, key: str) -> Contexts:
    """The contexts of a certificate that is loaded again when its files change. Raises ConfigError."""
    try:
        contexts = Contexts(ServerTls(cert, key), None)
    except OSError as error:
        raise ConfigError([f"--tls-cert {cert}, --tls-key {key}: {error.strerror or error}"]) from error
    assert contexts.accepting is not None
    # aiohttp speaks no HTTP/2, which an API server would prefer.
    contexts.accepting.set_alpn_protocols(["http/1.1"])
    return contexts


@asynccontextmanager
async def serving(webhook: Webhook, address: Address, contexts: Contexts) -> AsyncIterator[int]:
    """Serve while the body runs: gives the port. Raises SidecarError when the address cannot be had."""
    runner = web.AppRunner(
        webhook.app(),
        access_log=None,
        logger=_SILENT,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    async with AsyncExitStack() as stack:
        if webhook.cluster is not None:
            await stack.enter_async_context(webhook.cluster)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        sock = sockets.listen(address)
        await web.SockSite(runner, sock, ssl_context=contexts.accepting).start()
        renewing = asyncio.create_task(_renew(contexts))
        stack.callback(renewing.cancel)
        yield int(sock.getsockname()[1])


async def _renew(contexts: Contexts) -> None:
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        renew(contexts)


def renew(contexts: Contexts) -> None:
    """Load the certificate again if its files changed; what cannot be used leaves the old one in place."""
    try:
        if contexts.renew():
            log.info("the certificate was renewed")
    except OSError as error:
        log.warning("the certificate's files changed and cannot be used: %s", error.strerror or error)


async def run(webhook: Webhook, address: Address, contexts: Contexts) -> int:
    """Serve until SIGTERM or SIGINT. SIGHUP looks at the certificate at once."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, renew, contexts)
    async with serving(webhook, address, contexts) as port:
        log.info("answering on port %d; Services %s", port, "are asked for" if webhook.cluster else "are not")
        await ended.wait()
        webhook.draining = True
    return 0
