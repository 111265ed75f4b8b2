"""Log lines on stderr that never hold anything up: one line of `key=value` for each record.

A reader that stops reading a pipe stops whoever writes to it, so a thread of its own writes, from a
bounded queue; what does not fit is dropped and counted. The trap: an exception's message may quote a
user's payload, so only its type and where it was raised are written.

Imported by the supervisor: standard library only.
"""

import atexit
import json
import logging
import os
import queue
import sys
import threading
from datetime import UTC, datetime
from logging.handlers import QueueHandler
from types import TracebackType
from typing import TextIO

# Ten minutes of a log that says one thing a second; about half a megabyte.
MAX_WAITING_LINES = 600
# Long enough for a healthy pipe, too short to hold up a shutdown.
_FLUSH_SECONDS = 0.5
_FRAMES = 3


def configure(
    process: str = "observer", stream: TextIO | None = None, level: int = logging.INFO
) -> "DroppingHandler":
    """Send every record of this process to `stream` (stderr), as lines that say `process`."""
    handler = DroppingHandler(process, stream or sys.stderr)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    atexit.register(handler.flush)
    return handler


class DroppingHandler(QueueHandler):
    """Hands lines to a thread that writes them; drops them while the stream does not take any."""

    def __init__(self, process: str, stream: TextIO) -> None:
        self._lines: queue.Queue[str] = queue.Queue(MAX_WAITING_LINES)
        super().__init__(self._lines)
        self.setFormatter(_Logfmt(process))
        self.dropped = 0
        self._stream = stream
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._write, name="log writer", daemon=True).start()

    def prepare(self, record: logging.LogRecord) -> str:
        """The line of a record: made here, so that the thread holds on to text only."""
        return self.format(record)

    def enqueue(self, line: str) -> None:  # type: ignore[override]
        """Offer a line; never waits."""
        self._idle.clear()
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Wait a moment for what was logged to be written."""
        self._idle.wait(_FLUSH_SECONDS)

    def _write(self) -> None:
        while True:
            try:
                self._stream.write(self._lines.get() + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                self.dropped += 1
            if self._lines.empty():
                self._idle.set()


class _Logfmt(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        level, message = record.levelname.lower(), quoted(record.getMessage())
        line = f"ts={time.replace('+00:00', 'Z')} level={level} process={self._process} msg={message}"
        if record.exc_info and record.exc_info[0] is not None:
            line += f" error={record.exc_info[0].__name__} at={quoted(_where(record.exc_info[2]))}"
        return line


def quoted(text: str) -> str:
    """`text` in quotes, on one line, with nothing a terminal would obey."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _where(traceback: TracebackType | None) -> str:
    """The innermost places, without the values that were there."""
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{os.path.basename(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " < ".join(reversed(places[-_FRAMES:]))
