"""The errors a user can meet, each one sentence long.

Before traffic flows, a problem is one of these and the process ends with `exit_code`. Once traffic
flows nothing in the data path raises to the user: it is counted with a reason from a closed set.
"""

import os
import sys


def said(error: Exception) -> str:
    """What the system said of an error, in lower case and without its number: "connection refused"."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).lower()


def tell(sentence: object) -> None:
    """A line on stderr, or nothing where it cannot be written: a log on a full disk must stop nobody."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        silence(2)


def silence(descriptor: int) -> None:
    """Let everything go nowhere that is still to be written there."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


class SidecarError(Exception):
    """A sentence for the user: where, what was found, what would be right."""

    exit_code = 1


class UsageError(SidecarError):
    """The command line or the configuration is wrong; nothing was started."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that cannot be used. `problems` holds one sentence per key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
