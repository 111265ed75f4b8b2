"""Throw bytes at everything that reads traffic, for as long as one likes.

    python -m tests.fuzz.readers [--seconds 60] [--seed 1]

Mutates captures and hostile bodies and needs no tool; `guided` is the same with atheris.
Not part of the test run, which has its own share of generated input. What it finds stands in the message as
base64: add it to `tests.decoders.hostile`, or to a test of the reader that failed.
"""

import argparse
import base64
import random
import time
from collections.abc import Callable

from sidecar import decoders
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.config import Settings
from sidecar.exchange import StreamEvent
from sidecar.observer.pipeline import Pipeline
from sidecar.policy import PayloadRule
from sidecar.wire import coding
from sidecar.wire.limits import Limits
from tests.decoders import captures
from tests.decoders.hostile import ROWS
from tests.decoders.reading import posted
from tests.decoders.test_conformance import MEDIA, PATHS, check

_KNOWN = decoders.Decoders(
    [PayloadRule(paths=("/mapped",), rows="data || @", features="names", predictions="y")]
)
_TARGETS = [*PATHS.values(), ("/mapped", "application/json")]
_CODINGS = ("gzip", "deflate", "br", "zstd", "br, gzip")
_OPEN = {"peer": "", "route": "", "upstream": "", "offsets": [0, 0], "new": True}
_MUTATIONS = 6


def decode(data: bytes) -> None:
    """The first five bytes choose decoder, media types and what is request and what is answer."""
    if len(data) < 5:
        return
    target, content_type = _TARGETS[data[0] % len(_TARGETS)]
    claim = _KNOWN.claim("POST", target, {"content-type": content_type})
    assert claim is not None
    request, answer = _parted(data[5:], data[3], data[4])
    seen = posted(
        target,
        request,
        answer,
        streamed=data[2] >= 128,
        events=[StreamEvent(1.0, line) for line in answer.split(b"\n")],
        request_headers={"content-type": content_type if data[1] >= 128 else MEDIA[data[1] % len(MEDIA)]},
        response_headers={"content-type": MEDIA[data[2] % len(MEDIA)]},
    )
    check(_KNOWN.decode(seen, claim))
    decoders.explain(seen, _KNOWN)


def _parted(data: bytes, how: int, where: int) -> tuple[bytes, bytes]:
    """All of it is the request, or the answer, or some of it is either."""
    if how < 200:
        return (data, b"{}") if how < 120 else (b"{}", data)
    cut = len(data) * where // 256
    return data[:cut], data[cut:]


def uncompress(data: bytes) -> None:
    """The first byte chooses the coding."""
    limits = Limits()
    name = _CODINGS[data[0] % len(_CODINGS)] if data else "gzip"
    assert len(coding.decode(data[1:], name, limits)[0]) <= limits.decoded_bytes
    coding.Inflater(name, limits).feed(data[1:])


def observe(data: bytes) -> None:
    """Bytes of one connection, from both sides in turns whose lengths the bytes choose."""
    pipeline = Pipeline(Settings())
    feed, offsets, at, turn = pipeline.observer.feed, [0, 0], 0, 0
    feed([Chunk(Kind.OPEN, 1 << 40, meta=_OPEN)])
    while at < len(data):
        length, turn = 1 + data[at] * 8, turn + 1
        direction = (FROM_CLIENT, FROM_SERVER)[turn % 2]
        piece = data[at + 1 : at + 1 + length]
        feed([Chunk(Kind.DATA, 1 << 40, direction, float(turn), offsets[direction], piece)])
        offsets[direction] += len(piece)
        at += 1 + length
    feed([Chunk(Kind.CLOSE, 1 << 40, time=float(turn))])
    pipeline.observer.tick(1e6)
    pipeline.rows.flush()
    pipeline.registry.snapshot()


READERS: tuple[Callable[[bytes], None], ...] = (decode, decode, uncompress, observe)


def one(data: bytes) -> None:
    """One input for one reader: what `guided` calls, and the driver below."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def seeds() -> list[bytes]:
    """Captured bodies and exchanges, and every hostile body."""
    found = [body for body, _ in ROWS.values() if len(body) < 50_000]
    for case in captures.CASES:
        found += [
            (captures.WIRE / f"{case}.{side}").read_bytes()[:50_000] for side in ("request", "response")
        ]
        found.append(captures.exchange(case).request.data[:50_000])
    return found


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut out, repeated, or taken for others."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, _MUTATIONS)):
        at = chance.randrange(len(data) + 1)
        length = chance.randint(0, 16)
        piece = bytes(data[at : at + length])
        data[at : at + length] = chance.choice((b"", piece * 3, chance.randbytes(length), b"\xff" * length))
    return chance.randbytes(6) + bytes(data)


def drive(seconds: float, seed: int) -> int:
    """Mutate seeds until the time is over; how many there were. Raises at the first not read well."""
    chance, found, end, count = random.Random(seed), seeds(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(chance.choice(found), chance)
        try:
            one(data)
        except Exception as error:
            raise AssertionError(f"input (base64): {base64.b64encode(data).decode()}") from error
        count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the readers; see the top of this file.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(f"{drive(chosen.seconds, chosen.seed)} inputs, all read or counted")


if __name__ == "__main__":
    main()
