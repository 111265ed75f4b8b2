"""The two things the webhook asks of its API server: which Services there are, and to keep an event.

Both are luxuries. Without them (no token, no right, no answer in time) pods are admitted all the same: the
pod's own word is believed, and the status annotation says what came of it. So nothing here raises, and each
change between "answers" and "does not" is one line in the log. The trap: whoever reaches the webhook may say
what the API server says, so that a namespace is checked before it becomes part of a path.
"""

import asyncio
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson

Object = dict[str, Any]
log = logging.getLogger(__name__)

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# The API server waits five seconds for us (webhook.timeoutSeconds): what we ask of it must fit well inside.
TIMEOUT_SECONDS = 1.5
# A rollout creates pods in bursts; a Service applied together with its Deployment is there before them.
FRESH_SECONDS = 2.0
# While it does not answer, pods must not wait for it one after the other.
REST_SECONDS = 5.0
# One event for a ReplicaSet that tries again and again.
QUIET_SECONDS = 300.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_REMEMBERED = 1000
# A rollout that fails everywhere need not be told of everywhere.
EVENTS_A_MINUTE = 60
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Cluster:
    """An API server as our service account sees it. Use as an async context manager."""

    def __init__(self, url: str, account: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._account = account
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._services: dict[str, tuple[float, list[Object]]] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._events: set[asyncio.Task[None]] = set()
        self._minute, self._in_minute = 0.0, 0
        self._answers = True
        self._resting_until = 0.0

    @classmethod
    def of_this_pod(cls, environment: Mapping[str, str] = os.environ) -> "Cluster | None":
        """Where this pod runs, or None: not in Kubernetes, or without a token (webhook.rbac.create)."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
        if not host or not port or not Path(ACCOUNT, "token").exists():
            return None
        return cls(f"https://{f'[{host}]' if ':' in host else host}:{port}", Path(ACCOUNT))

    async def __aenter__(self) -> "Cluster":
        context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        connector = aiohttp.TCPConnector(ssl=context, limit=8)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._events:
            await asyncio.wait(self._events, timeout=TIMEOUT_SECONDS)
        if self._session is not None:
            await self._session.close()

    async def services(self, namespace: str) -> list[Object] | None:
        """The Services of a namespace, at most two seconds old; None where they could not be listed."""
        known = self._services.get(namespace)
        if known is not None and self._now() - known[0] < FRESH_SECONDS:
            return known[1]
        if not _NAMESPACE.fullmatch(namespace) or self._now() < self._resting_until:
            return None
        answer = await self._ask("GET", f"/api/v1/namespaces/{namespace}/services")
        items = answer.get("items") if answer is not None else None
        if not isinstance(items, list):
            self._resting_until = self._now() + REST_SECONDS
            return None
        _forget_oldest(self._services)
        self._services[namespace] = (self._now(), items)
        return items

    def tell(self, pod: Object, namespace: str, message: str) -> None:
        """Keep an event about what could not be done, soon; the pod itself does not exist yet.

        It goes to whoever creates the pod (its ReplicaSet, Job…), else to the pod by its name.
        """
        regarding = _regarding(pod, namespace)
        key = (f"{namespace}/{regarding['kind']}/{regarding['name']}", message)
        if not regarding["name"] or not _NAMESPACE.fullmatch(namespace) or not self._may_tell(key):
            return
        task = asyncio.create_task(self._send(namespace, _event(regarding, namespace, message)))
        self._events.add(task)
        task.add_done_callback(self._events.discard)

    def _may_tell(self, key: tuple[str, str]) -> bool:
        now = self._now()
        if now - self._told.get(key, float("-inf")) < QUIET_SECONDS:
            return False
        if now - self._minute >= 60.0:
            self._minute, self._in_minute = now, 0
        self._in_minute += 1
        if self._in_minute > EVENTS_A_MINUTE:
            return False
        _forget_oldest(self._told)
        self._told[key] = now
        return True

    async def _send(self, namespace: str, event: Object) -> None:
        await self._ask("POST", f"/api/v1/namespaces/{namespace}/events", event)

    async def _ask(self, method: str, path: str, body: Object | None = None) -> Object | None:
        """The object that answers, or None."""
        assert self._session is not None
        try:
            token = (self._account / "token").read_text(encoding="ascii").strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            data = orjson.dumps(body) if body is not None else None
            async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
                found = orjson.loads(await _bounded(answer)) if answer.ok else None
            self._remember(f"HTTP {answer.status}" if found is None else "")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._remember(type(error).__name__)
            return None
        return found if isinstance(found, dict) else None

    def _remember(self, why: str) -> None:
        """Log when the API server begins or ceases to answer."""
        if bool(why) is self._answers:
            self._answers = not why
            if why:
                log.warning("the API server does not answer (%s): what pods say of their Service counts", why)
            else:
                log.info("the API server answers again")


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """The body, as long as it is no larger than thousands of Services are."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ValueError("too large")
    return bytes(body)


def _forget_oldest(memory: dict[Any, Any]) -> None:
    while len(memory) >= _MAX_REMEMBERED:
        del memory[next(iter(memory))]


def _regarding(pod: Object, namespace: str) -> Object:
    metadata = pod.get("metadata") if isinstance(pod.get("metadata"), dict) else None
    owners = (metadata or {}).get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller"):
            kept = {key: str(owner.get(key, "")) for key in ("apiVersion", "kind", "name", "uid")}
            return {**kept, "namespace": namespace}
    name = str((metadata or {}).get("name", ""))
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "namespace": namespace}


def _event(regarding: Object, namespace: str, message: str) -> Object:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "inference-sidecar-", "namespace": namespace},
        "involvedObject": regarding,
        "reason": "InferenceSidecar",
        "message": message,
        "type": "Warning",
        "source": {"component": "inference-sidecar"},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
