"""The clients of OpenAI and Anthropic: chats, streams, embeddings."""

from typing import Any

from anthropic import Anthropic
from both import report
from openai import OpenAI, RateLimitError

ASK: Any = [{"role": "user", "content": "Will it rain?"}]


def chats(client: OpenAI) -> dict[str, Any]:
    """A chat, whole and in parts, with and without usage, and one that is refused."""
    create = client.chat.completions.create
    plain = create(model="small", messages=ASK, stream=True)
    counted = create(model="small", messages=ASK, stream=True, stream_options={"include_usage": True})
    return {
        "models": [model.id for model in client.models.list()],
        "whole": create(model="small", messages=ASK).model_dump(),
        "stream": [chunk.model_dump() for chunk in plain],
        "stream_with_usage": [chunk.model_dump() for chunk in counted],
        "tool": [chunk.model_dump() for chunk in create(model="tools", messages=ASK, stream=True)],
        "left": left(client),
        "refused": refused(client),
    }


def left(client: OpenAI) -> str:
    """A stream that never ends, left after the first word."""
    with client.chat.completions.create(model="endless", messages=ASK, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                return chunk.choices[0].delta.content
    raise AssertionError("it said nothing")


def refused(client: OpenAI) -> str:
    """What a busy model says."""
    try:
        client.chat.completions.create(model="busy", messages=ASK)
    except RateLimitError as error:
        return str(error)
    raise AssertionError("it was not refused")


def others(client: OpenAI) -> dict[str, Any]:
    """The other paths. Embeddings are asked for in base64 by default, and come back as numbers."""
    events = client.responses.create(model="small", input="Will it rain?", stream=True)
    made = client.embeddings.create(model="embedder", input=["rain", "sun"])
    floats = client.embeddings.create(model="embedder", input=["rain"], encoding_format="float")
    return {
        "completion": client.completions.create(model="writer", prompt=["Will it", "rain"], n=1).model_dump(),
        "responses": [event.model_dump() for event in events],
        "embeddings": made.model_dump(),
        "floats": floats.model_dump(),
    }


def messages(client: Anthropic) -> dict[str, Any]:
    """A message, whole and in parts."""
    asked: dict[str, Any] = {"model": "haiku", "max_tokens": 10, "messages": ASK}
    with client.messages.stream(**asked) as stream:
        parts = list(stream.text_stream)
        final = stream.get_final_message().model_dump()
    return {"message": client.messages.create(**asked).model_dump(), "parts": parts, "final": final}


def everything(address: str) -> dict[str, Any]:
    """Thirteen exchanges, one of them no inference."""
    url = f"http://{address}"
    ours = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    theirs = Anthropic(base_url=url, api_key="none", max_retries=0)
    return chats(ours) | others(ours) | messages(theirs)


if __name__ == "__main__":
    report(everything)
