"""Log lines: one line each, harmless to a terminal, and never waited for."""

import io
import logging
import threading

from sidecar.logs import MAX_WAITING_LINES, DroppingHandler, quoted


def logged(record: logging.LogRecord) -> str:
    stream = io.StringIO()
    handler = DroppingHandler("observer", stream)
    handler.handle(record)
    handler.flush()
    return stream.getvalue()


def record(message: str, exc_info=None) -> logging.LogRecord:
    made = logging.LogRecord("sidecar", logging.WARNING, "f.py", 1, message, None, exc_info)
    made.created = 0.25
    return made


def test_a_record_is_one_line_that_says_when_how_bad_who_and_what():
    line = logged(record('the observer said "no"'))
    assert (
        line
        == 'ts=1970-01-01T00:00:00.250Z level=warning process=observer msg="the observer said \\"no\\""\n'
    )


def test_text_that_would_break_the_line_or_steer_a_terminal_is_escaped():
    assert logged(record("a\r\nlevel=error \x1b[31m\u202e")).count("\n") == 1
    assert quoted("\x1b[31m\u202e").isascii()


def test_the_message_of_an_exception_is_not_logged_but_its_type_and_place_are():
    try:
        raise ValueError("password=hunter2")
    except ValueError as error:
        line = logged(record("cannot decode", (type(error), error, error.__traceback__)))
    assert "hunter2" not in line
    assert "error=ValueError" in line
    assert "test_logs.py" in line


class Stuck(io.StringIO):
    """A pipe whose reader has stopped, until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.released.wait(30)
        return super().write(text)


def test_a_reader_that_stops_costs_lines_and_nothing_else():
    stream = Stuck()
    handler = DroppingHandler("relay", stream)
    for _ in range(MAX_WAITING_LINES + 100):
        handler.handle(record("hello"))
    assert handler.dropped >= 99
    stream.released.set()
    handler.flush()
