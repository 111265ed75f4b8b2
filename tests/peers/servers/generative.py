"""A server with the answers of OpenAI's and Anthropic's, of a model that always says the same.

By the public references of both: no server of theirs can be installed. Its one argument is a port.
"""

import asyncio
import base64
import json
import struct
import sys
from typing import Any

from aiohttp import web

WORDS = ["Rain", " is", " likely", "."]
VECTOR = [0.6, 0.8, 0.0]
# Apart enough that they never share a packet, whatever the machine is doing.
PAUSE_SECONDS = 0.02


async def events(request: web.Request, documents: list[Any], *, named: bool = False) -> web.StreamResponse:
    """Server-sent events, one document each."""
    answer = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await answer.prepare(request)
    for document in documents:
        text = document if isinstance(document, str) else json.dumps(document)
        name = f"event: {document['type']}\n" if named else ""
        await answer.write(f"{name}data: {text}\n\n".encode())
        await asyncio.sleep(PAUSE_SECONDS)
    await answer.write_eof()
    return answer


async def chat(request: web.Request) -> web.StreamResponse:
    """A chat completion; 429 for a model that is busy."""
    asked = await request.json()
    if asked["model"] == "busy":
        error = {"message": "try later", "type": "rate_limit_error", "param": None, "code": "busy"}
        return web.json_response({"error": error}, status=429)
    usage = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    head: dict[str, Any] = {"id": "chatcmpl-1", "created": 1, "model": "small-2"}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "".join(WORDS)}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    head["object"] = "chat.completion.chunk"
    words = WORDS * 500 if asked["model"] == "endless" else WORDS
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    end = "length"
    if asked["model"] == "tools":
        deltas, end = [{"role": "assistant", "content": None}, *tool_call()], "tool_calls"
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": end})
    chunks: list[Any] = [{**head, "choices": [choice]} for choice in choices]
    if asked.get("stream_options", {}).get("include_usage"):
        chunks = [{**chunk, "usage": None} for chunk in chunks] + [{**head, "choices": [], "usage": usage}]
    return await events(request, [*chunks, "[DONE]"])


def tool_call() -> list[dict[str, Any]]:
    """The parts of a call: its name first, and then its arguments, which are JSON only in the end."""
    first = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "forecast", "arguments": ""},
    }
    rest = [{"index": 0, "function": {"arguments": part}} for part in ('{"day"', ": 1}")]
    return [{"tool_calls": [part]} for part in (first, *rest)]


async def completions(request: web.Request) -> web.Response:
    """A completion for each prompt."""
    asked = await request.json()
    choices = [
        {"index": i, "text": "".join(WORDS), "finish_reason": "stop", "logprobs": None}
        for i, _ in enumerate(asked["prompt"])
    ]
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": asked["model"]}
    usage = {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}
    return web.json_response({**answer, "choices": choices, "usage": usage})


async def embeddings(request: web.Request) -> web.Response:
    """The same vector for every text, as numbers or in base64."""
    asked = await request.json()
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    vector = packed if asked.get("encoding_format") == "base64" else VECTOR
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(asked["input"]))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return web.json_response({"object": "list", "data": data, "model": "embedder-1", "usage": usage})


async def responses(request: web.Request) -> web.StreamResponse:
    """The Responses API, streamed."""
    asked = await request.json()
    content = [{"type": "output_text", "text": "".join(WORDS), "annotations": []}]
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": asked["model"], "output": []}
    response |= {"status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    usage = {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11}
    usage |= {"input_tokens_details": {"cached_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 0}}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    documents: list[Any] = [{"type": "response.created", "response": response}]
    documents += [{"type": "response.output_text.delta", **place, "delta": word} for word in WORDS]
    whole = response | {"status": "completed", "output": [message], "usage": usage}
    documents.append({"type": "response.completed", "response": whole})
    numbered = [{**document, "sequence_number": i} for i, document in enumerate(documents)]
    return await events(request, numbered, named=True)


async def messages(request: web.Request) -> web.StreamResponse:
    """Anthropic's messages, streamed or not."""
    asked = await request.json()
    usage = {"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 3}
    message = {"id": "msg_2", "type": "message", "role": "assistant", "model": "haiku-9", "usage": usage}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    if not asked.get("stream"):
        content = [{"type": "text", "text": "".join(WORDS)}]
        return web.json_response(message | {"content": content, "stop_reason": "end_turn"})
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    documents: list[Any] = [
        {"type": "message_start", "message": message | {"usage": {**usage, "output_tokens": 1}}}
    ]
    documents += [block, {"type": "ping"}]
    deltas = [{"type": "text_delta", "text": word} for word in WORDS]
    documents += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    documents.append({"type": "content_block_stop", "index": 0})
    ending = {"stop_reason": "max_tokens", "stop_sequence": None}
    documents.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 4}})
    return await events(request, [*documents, {"type": "message_stop"}], named=True)


async def models(request: web.Request) -> web.Response:
    """What there is."""
    listed = [{"id": "small", "object": "model", "created": 1, "owned_by": "us"}]
    return web.json_response({"object": "list", "data": listed})


def main() -> None:
    """Serve until told to stop."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/completions", completions)
    app.router.add_post("/v1/embeddings", embeddings)
    app.router.add_post("/v1/responses", responses)
    app.router.add_post("/v1/messages", messages)
    app.router.add_get("/v1/models", models)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
