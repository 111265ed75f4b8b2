"""Children are started, heard, restarted and ended."""

import asyncio
import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sidecar.supervisor.children import Child, Message

PROGRAM = textwrap.dedent(
    """
    import json, socket, sys
    control = socket.socket(fileno=int(sys.argv[1])).makefile("rw")
    control.write(json.dumps({"setup": json.loads(control.readline())}) + "\\n")
    control.flush()
    for line in control:
        command = json.loads(line)
        for word in range(command.get("words", 0)):
            control.write(json.dumps({"word": word}) + "\\n")
        control.flush()
        if "exit" in command:
            sys.exit(command["exit"])
        if command.get("stop"):
            break
    """
)


class Case:
    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.exits: asyncio.Queue[str] = asyncio.Queue()
        self.starts = 0
        self.child = Child("obedient_child", self._setup, self.heard.put_nowait, self.exits.put_nowait)

    def _setup(self) -> tuple[Message, Sequence[int]]:
        self.starts += 1
        return {"start": self.starts}, []


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    (tmp_path / "obedient_child.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    case = Case()
    yield case
    case.child.kill()


async def test_a_child_gets_its_setup_and_is_heard(case: Case) -> None:
    case.child.start()
    assert await case.heard.get() == {"setup": {"start": 1}}
    case.child.release({"stop": True})
    assert await case.child.gone(10)
    assert case.starts == 1


async def test_ctrl_c_in_a_terminal_does_not_reach_a_child(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    assert case.child.pid is not None
    assert os.getpgid(case.child.pid) != os.getpgid(0)
    case.child.release({"stop": True})
    assert await case.child.gone(10)


async def test_a_child_that_ends_is_started_again_with_a_new_setup(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.send({"exit": 3})
    assert await case.exits.get() == "exit"
    assert await case.heard.get() == {"setup": {"start": 2}}
    case.child.release({"stop": True})
    assert await case.child.gone(10)


async def test_a_killed_child_is_told_apart_and_started_again(case: Case) -> None:
    import os
    import signal

    case.child.start()
    await case.heard.get()
    assert case.child.pid is not None
    os.kill(case.child.pid, signal.SIGKILL)
    assert await case.exits.get() == "signal"
    await case.heard.get()
    case.child.release({"stop": True})
    assert await case.child.gone(10)


async def test_the_last_words_of_a_child_are_heard_before_its_end_is_told(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.send({"exit": 3, "words": 1000})
    await case.exits.get()
    assert [case.heard.get_nowait() for _ in range(1000)] == [{"word": word} for word in range(1000)]
    case.child.kill()


async def test_a_child_asked_to_restart_leaves_in_order_and_its_end_has_the_reason_given(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.restart("memory", {"stop": True}, within=10)
    assert await case.exits.get() == "memory"
    assert await case.heard.get() == {"setup": {"start": 2}}
    case.child.send({"exit": 3})
    assert await case.exits.get() == "exit"
    await case.heard.get()
    case.child.release({"stop": True})
    assert await case.child.gone(10)


async def test_a_child_that_does_not_restart_by_itself_is_killed_and_started(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.restart("hung", {"ignored": True}, within=0.1)
    case.child.restart("memory", {"ignored": True}, within=0.1)
    assert await case.exits.get() == "hung"
    assert await case.heard.get() == {"setup": {"start": 2}}
    case.child.release({"stop": True})
    assert await case.child.gone(10)


async def test_a_child_that_is_leaving_is_not_restarted(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.release({"stop": True})
    case.child.restart("memory", {"stop": True}, within=10)
    assert await case.child.gone(10)
    assert case.exits.empty()
    assert case.starts == 1


async def test_a_child_that_does_not_leave_is_killed(case: Case) -> None:
    case.child.start()
    await case.heard.get()
    case.child.release({"ignored": True})
    assert not await case.child.gone(0.1)
