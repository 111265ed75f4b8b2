"""Every case of tests/cases/http, legal and hostile: both ends see the same, direct and relayed."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.transparency.conftest import Paths
from tests.transparency.talk import Await, Finish, Read, Rest, Send, Step, Tell

CASES = [
    json.loads(line) for line in Path("tests/cases/http/cases.jsonl").read_text().splitlines() if line.strip()
]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def rounds(case: dict[str, Any]) -> list[list[bytes]]:
    """What the client sends, cut where it waits for an answer."""
    if "steps" not in case:
        return [[base64.b64decode(case["send_b64"])]]
    found: list[list[bytes]] = [[]]
    for step in case["steps"]:
        if step[0] == "send":
            found[-1].append(base64.b64decode(step[1]))
        elif step[0] == "until":
            found.append([])
    return [one for one in found if one]


def answers(case: dict[str, Any], how_many: int) -> list[list[bytes]]:
    """What the server says in each round, in pieces that are confirmed one by one."""
    if "up_steps" in case:
        pieces = [base64.b64decode(step[1]) for step in case["up_steps"] if step[0] == "send"]
        return [pieces] * how_many
    final = base64.b64decode(case["upstream_b64"]) if "upstream_b64" in case else PLAIN
    after = [base64.b64decode(case["up_after"])] if "up_after" in case else []
    if case.get("upstream_100"):
        return [[CONTINUE], *[[final]] * (how_many - 1)] if how_many > 1 else [[CONTINUE, final]]
    return [[final, *after]] * how_many


def scripts(case: dict[str, Any]) -> tuple[list[Step], list[Step]]:
    """Lock-step: an end sends its next piece when the other said, past the wire, that it has the last."""
    client: list[Step] = []
    server: list[Step] = []
    asked = rounds(case)
    early = bool(case.get("upstream_early"))
    for turn, (pieces, said) in enumerate(zip(asked, answers(case, len(asked)), strict=True)):
        size = sum(map(len, pieces))
        client += [Send(piece) for piece in pieces]
        server.append(Read(1 if early else size))
        for number, piece in enumerate(said):
            client += [Read(len(piece)), Tell(f"{turn}.{number}")]
            server += [Send(piece), Await(f"{turn}.{number}")]
        if early:
            server.append(Read(size - 1))
    if case.get("upstream_close"):
        server += [Finish(), Rest()]
        client += [Rest(), Finish()]
    else:
        client += [Finish(), Rest()]
        server += [Rest(), Finish()]
    return client, server


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_both_ends_see_what_they_would_see_without_the_relay(paths: Paths, case: dict[str, Any]):
    client, server = scripts(case)
    at_client, at_server = await paths.same(client, server)
    asked = b"".join(b"".join(pieces) for pieces in rounds(case))
    assert at_server.data == asked
    assert at_client.end == at_server.end == "eof"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_a_server_that_closes_in_the_middle_of_its_answer_is_seen_to(
    paths: Paths, case: dict[str, Any]
):
    """Half of the answer and an end: never completed, never turned into a reset or the reverse."""
    asked = rounds(case)[0][0]
    said = b"".join(answers(case, 1)[0])
    half = said[: len(said) // 2]
    at_client, _ = await paths.same(
        [Send(asked), Rest(), Finish()], [Read(len(asked)), Send(half), Finish(), Rest()]
    )
    assert at_client.data == half


def test_the_cases_cover_waiting_early_answers_interim_answers_and_closes():
    for key in ("steps", "upstream_early", "upstream_100", "upstream_close", "up_steps", "up_after"):
        assert any(key in case for case in CASES), key
