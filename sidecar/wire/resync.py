"""Finding the place again on a connection of which bytes were lost.

A request line proves nothing: it may be a line of a body whose head was lost. What proves it is turn and
turn about. Two ways, both ending with a chunk that begins with a request line after an answer that ended:

- quiet: after the server had the last word, neither side said anything for `QUIET_SECONDS`;
- lockstep: on trial, the connection was read as whole requests and whole answers in strict alternation,
  each side beginning where a chunk begins and ending where one ends, `ROUNDS` times in a row.

What exchanges read on trial were is thrown away: the trial earns trust for the next one only. That there
were so many is known once it has ended well.
"""

from sidecar.chunk import FROM_CLIENT, FROM_SERVER
from sidecar.exchange import Outcome
from sidecar.wire.head import Unreadable, begins_request
from sidecar.wire.http1 import Http1
from sidecar.wire.pending import Accounts

# An upload that stalls this long *after* the server had the last word does not happen by accident; a client
# that thinks between two requests does it all the time. Clients' and servers' idle limits are 5 s and more.
QUIET_SECONDS = 1.0
# One round could be a body that looks like a request, answered by chance; two cannot be told from the truth.
ROUNDS = 2


class Resync:
    """One connection that is lost. `feed` says when it is found again."""

    __slots__ = (
        "_accounts", "_connection", "_last_time", "_last_word", "_lockstep", "_rounds", "_route", "_trial",
        "thrown_away",
    )  # fmt: skip

    def __init__(
        self, connection: int, route: str, accounts: Accounts, time: float, lockstep: bool = True
    ) -> None:
        self._connection = connection
        self._route = route
        self._accounts = accounts
        self._trial: Http1 | None = None
        self._rounds = 0
        self.thrown_away = 0
        """Once found: how many exchanges the trial took. They happened; what they were was not believed."""
        # A client that pipelines may be one request ahead for ever, in perfect turns: only quiet will do.
        self._lockstep = lockstep
        self._last_time = time
        self._last_word = FROM_CLIENT
        """Who spoke last. The client, as long as we have not heard an answer."""

    def gap(self, direction: int, until: float) -> None:
        """More was lost: whatever was on trial is worth nothing."""
        self._restart()
        self._heard(direction, until)

    def feed(self, direction: int, data: bytes, time: float) -> Http1 | None:
        """Read bytes. Returns the reader to go on with, these bytes included, once the place is found."""
        quiet = self._last_word == FROM_SERVER and time - self._last_time >= QUIET_SECONDS
        # After an interim answer the rest of the upload is due, not a new request.
        interim = direction == FROM_SERVER and data.startswith(b"HTTP/1.1 1")
        self._heard(FROM_CLIENT if interim else direction, time)
        if direction == FROM_SERVER:
            return self._answer(data, time)
        return self._ask(quiet, data, time)

    def drop(self) -> None:
        """Give the memory back."""
        self._restart()

    def _heard(self, who: int, time: float) -> None:
        self._last_word, self._last_time = who, time

    def _ask(self, quiet: bool, data: bytes, time: float) -> Http1 | None:
        trial = self._trial
        if trial is not None and not trial.idle and not trial.awaits_answer:
            self._try(FROM_CLIENT, data, time)
            return None
        # A new turn of the client. Out of turn if an answer is due: then it counts as a first one.
        due = trial is not None and trial.awaits_answer
        if due:
            self._lockstep = False
        if due or not begins_request(data):
            self._restart()
        if not begins_request(data):
            return None
        if quiet and not due:
            self._restart()
        if self._trial is None:
            self._trial = Http1(self._connection, self._route, self._accounts)
        self._try(FROM_CLIENT, data, time)
        return self._found() if quiet and not due else None

    def _answer(self, data: bytes, time: float) -> Http1 | None:
        trial = self._trial
        if trial is None:
            return None
        if not trial.awaits_answer:
            self._restart()
            return None
        self._try(FROM_SERVER, data, time)
        if trial.ledger.done:
            trial.ledger.done.clear()
            self._rounds += 1
        return self._found() if self._lockstep and self._rounds >= ROUNDS else None

    def _try(self, direction: int, data: bytes, time: float) -> None:
        trial = self._trial
        assert trial is not None
        try:
            trial.data(direction, data, time)
        except Unreadable:
            self._restart()
            return
        if trial.ledger.pipelined:
            self._lockstep = False
        if trial.ledger.pipelined or not trial.ledger.readable:
            self._restart()

    def _found(self) -> Http1 | None:
        found, self._trial = self._trial, None
        self.thrown_away, self._rounds = self._rounds, 0
        return found

    def _restart(self) -> None:
        if self._trial is not None:
            self._trial.abandon(Outcome.UNOBSERVED)
        self._trial = None
        self._rounds = 0
