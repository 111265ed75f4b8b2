"""The model server's own metrics on our port: fetched at each scrape, checked line by line, put behind ours.

Always in Prometheus' text format 0.0.4: with a merge configured nothing else is offered. Families that we
export win over theirs of the same name, but for `process_*`: with a merge those are the server's, and ours
are `sidecar_memory_bytes` and `sidecar_cpu_seconds_total`. The trap: one line that is not valid, or a series
that is there twice, could cost Prometheus the whole scrape, ours included; such lines are left out, and
counted.
"""

import asyncio
import re
from collections.abc import Callable

import aiohttp

from sidecar import catalog

# Our own numbers wait no longer than this for theirs; Prometheus gives a scrape ten seconds in all.
FETCH_SECONDS = 1.0
# Triton with a hundred models has 1 MB; more is a mistake, or would cost more to check than it is worth.
MAX_BYTES = 4 * 1024 * 1024
MAX_LINE_CHARACTERS = 16 * 1024

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_VALUE = r"[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[Ii]nf|NaN|nan)"
_SAMPLE = re.compile(
    rf"({_NAME})(\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\}})?[ \t]+({_VALUE})(?:[ \t]+-?\d+)?[ \t]*"
)
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram|summary|untyped)")
_HELP = re.compile(rf"# HELP ({_NAME}) (.*)")
_PARTS = ("_bucket", "_sum", "_count")


class Merging:
    """One server's metrics. `failed` is called with a reason of `catalog.MERGE_FAILURES`."""

    def __init__(self, url: str, failed: Callable[[str], None]) -> None:
        self._url = url
        self._failed = failed

    async def fetch(self) -> bytes:
        """Their families, ready to be put behind ours; empty when they cannot be had. Never raises."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                text = await self._read()
        except TimeoutError:
            return self._nothing("timeout")
        except (aiohttp.ClientError, OSError, ValueError):
            return self._nothing("unreachable")
        if text is None:
            return b""
        body, reasons = await asyncio.to_thread(merged, text)
        for reason in reasons:
            self._failed(reason)
        return body

    async def _read(self) -> str | None:
        headers = {"Accept": "text/plain;version=0.0.4"}
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(self._url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                self._failed("status")
                return None
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_BYTES:
                    self._failed("too_large")
                    return None
            return body.decode("utf-8", "replace")

    def _nothing(self, reason: str) -> bytes:
        self._failed(reason)
        return b""


def merged(text: str) -> tuple[bytes, set[str]]:
    """What of an exposition may stand behind ours, family by family, and why anything was left out."""
    heads: dict[str, dict[str, str]] = {}
    samples: dict[str, dict[str, str]] = {}
    reasons: set[str] = set()
    for line in text.split("\n"):
        if head := _TYPE.fullmatch(line.rstrip()) or _HELP.fullmatch(line):
            heads.setdefault(head[1], {}).setdefault(line[2:6], head[2])
        elif line.strip() and not line.startswith("#") and (reason := _take(line, heads, samples)):
            reasons.add(reason)
    lines = [
        line for family, found in samples.items() for line in _family(family, heads.get(family, {}), found)
    ]
    return "".join(lines).encode("utf-8", "replace"), reasons


def _take(line: str, heads: dict[str, dict[str, str]], samples: dict[str, dict[str, str]]) -> str:
    """Put a sample where it belongs; or why not."""
    sample = _SAMPLE.fullmatch(line.rstrip()) if len(line) <= MAX_LINE_CHARACTERS else None
    if sample is None:
        return "malformed"
    family = _family_of(sample[1], heads)
    if _ours(family) or _ours(sample[1]):
        return "duplicate"
    series = sample[1] + (sample[2] or "")
    of_family = samples.setdefault(family, {})
    if series in of_family:
        return "duplicate"
    of_family[series] = sample[3]
    return ""


def _family_of(name: str, heads: dict[str, dict[str, str]]) -> str:
    for part in _PARTS:
        base = name.removesuffix(part)
        if base != name and heads.get(base, {}).get("TYPE") in ("histogram", "summary"):
            return base
    return name


def _ours(name: str) -> bool:
    return any(base in catalog.BY_NAME for base in (name, *(name.removesuffix(part) for part in _PARTS)))


def _family(name: str, head: dict[str, str], found: dict[str, str]) -> list[str]:
    lines = [f"# {word} {name} {head[word]}\n" for word in ("HELP", "TYPE") if word in head]
    return [*lines, *(f"{series} {value}\n" for series, value in found.items())]
