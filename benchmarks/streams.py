"""What measuring a streamed chat costs: microseconds per exchange, for its chunks and for its meaning.

    python -m benchmarks.streams [--tokens 2000]

Chunks are one event each, as servers send them. Processor time, the best of several rounds.
"""

import argparse
import json
import time

from sidecar import decoders
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import Exchange
from sidecar.wire.connection import Wire

ROUNDS = 20
TARGET = "/v1/chat/completions"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=2000)
    tokens = parser.parse_args().tokens
    read, largest, exchange = wire_cost(tokens)
    print(f"{tokens} tokens, one event each, {exchange.response.size:,} bytes")
    print(f"chunks to exchange   {read:10.0f} us   {read / tokens:6.2f} us a token")
    print(f"exchange to meaning  {decode_cost(exchange):10.0f} us")
    print(f"held meanwhile       {largest:10,} bytes")


def wire_cost(tokens: int) -> tuple[float, int, Exchange]:
    """Microseconds to read the chunks of one exchange, the most memory held, and the exchange."""
    best, largest = float("inf"), 0
    for round in range(ROUNDS + 1):
        wire, chunks = Wire(), script(tokens)
        if not round:
            for chunk in chunks:
                wire.feed(chunk)
                largest = max(largest, wire.captured_bytes)
            continue
        begun = time.process_time()
        done = [exchange for chunk in chunks for exchange in wire.feed(chunk)]
        best = min(best, time.process_time() - begun)
    [exchange] = done
    return best * 1e6, largest, exchange


def decode_cost(exchange: Exchange) -> float:
    """Microseconds to claim and decode it."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        claimed = decoders.claim(exchange.method, exchange.target, exchange.request_headers)
        assert claimed is not None
        inference = decoders.decode(exchange, claimed)
        best = min(best, time.process_time() - begun)
    assert inference.generation is not None
    assert inference.generation.output_tokens
    return best * 1e6


def script(tokens: int) -> list[Chunk]:
    """The chunks of one connection with one streamed chat."""
    asked = json.dumps({"model": "m", "stream": True, "messages": [{"content": "x" * 500}]}).encode()
    head = f"POST {TARGET} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {len(asked)}\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    usage = {"choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": tokens}}
    events = [_delta(role="assistant", content=""), *[_delta(content=" token")] * tokens, usage]
    pieces = [answer, *(_piece(json.dumps(event)) for event in events), _piece("[DONE]"), b"0\r\n\r\n"]
    opened = Chunk(Kind.OPEN, 1, time=0.0, meta={"offsets": [0, 0], "new": True})
    chunks, at = [opened, Chunk(Kind.DATA, 1, FROM_CLIENT, 0.0, 0, head.encode() + asked)], 0
    for n, piece in enumerate(pieces):
        chunks.append(Chunk(Kind.DATA, 1, FROM_SERVER, 0.01 * n, at, piece))
        at += len(piece)
    return chunks


def _delta(**said: str) -> object:
    choice = {"index": 0, "delta": said, "logprobs": None, "finish_reason": None, "token_ids": None}
    return {"id": "chatcmpl-9f88cc307e61f8c8", "object": "chat.completion.chunk", "created": 1795311966,
            "model": "m", "choices": [choice]}  # fmt: skip


def _piece(text: str) -> bytes:
    event = f"data: {text}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


if __name__ == "__main__":
    main()
