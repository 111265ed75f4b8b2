"""Objectives, and what counts as a good or a bad event of each. Decides; does no I/O."""

from dataclasses import dataclass
from decimal import Decimal

from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference

# A client that gives up before the first byte after this long met a hung model, which is bad; one that
# leaves earlier changed its mind, which says nothing. Used when no latency threshold is set.
PATIENCE_SECONDS = 30.0
# Asked of every exchange several times; a member of an enumeration takes five times as long to look up.
_OK = Outcome.OK


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events to reach. `objective` is in percent; `threshold` in seconds, if it has one.

    `tolerance`: how far off a number may be and still be right, in its own unit (quality only).
    """

    slo: str
    objective: Decimal
    threshold: float | None = None
    tolerance: float | None = None

    @property
    def ratio(self) -> Decimal:
        """The objective as a share between 0 and 1."""
        return self.objective / 100


# Without configuration: what any service should reach, and what a model cannot do without.
DEFAULT_OBJECTIVES = (
    Objective("availability", Decimal("99.9")),
    Objective("feature_availability", Decimal("99.9")),
)


def outcome_of(exchange: Exchange, inference: Inference) -> Outcome:
    """How the exchange ended, also by what is inside a successful answer: an error, or no proper end.

    A client that leaves when it has read the mark at the end of a stream has left nothing unread.
    """
    outcome, generation = exchange.outcome, inference.generation
    if outcome is _OK:
        if inference.error:
            return Outcome.SERVER_ERROR
        if generation is not None and generation.truncated:
            return Outcome.TRUNCATED
    elif outcome is Outcome.CLIENT_CLOSED and generation is not None and generation.complete:
        return _OK
    return outcome


def availability(exchange: Exchange, outcome: Outcome, patience: float = PATIENCE_SECONDS) -> bool | None:
    """Good, bad, or None when this exchange says nothing about availability."""
    if outcome is _OK:  # nearly always
        return True
    if outcome in (Outcome.CLIENT_ERROR, Outcome.UNOBSERVED):
        return None
    if outcome is Outcome.CLIENT_CLOSED:
        return False if _gave_up(exchange, patience) else None
    return False


def latency(exchange: Exchange, outcome: Outcome, threshold: float) -> bool | None:
    """Good, bad, or None: only answers that were right and unary have a latency worth judging."""
    duration = exchange.timings.duration
    if outcome is not Outcome.OK or exchange.streamed or duration is None:
        return None
    return duration <= threshold


def time_to_first_token(
    exchange: Exchange, inference: Inference, outcome: Outcome, threshold: float
) -> bool | None:
    """Good, bad, or None: only streams that ended well and had any content are judged."""
    seconds = seconds_to_first_token(exchange, inference)
    if outcome is not Outcome.OK or seconds is None:
        return None
    return seconds <= threshold


def seconds_to_first_token(exchange: Exchange, inference: Inference) -> float | None:
    """Last byte of the request to the first part with content; None unless both were seen. Never negative."""
    asked, generation = exchange.timings.request_last, inference.generation
    # Without a first byte the stream was not watched but logged, and its events are as old as the log line.
    if asked is None or exchange.timings.response_first is None:
        return None
    if generation is None or generation.first_token is None:
        return None
    return max(generation.first_token - asked, 0.0)


def _gave_up(exchange: Exchange, patience: float) -> bool:
    timings = exchange.timings
    if timings.response_first is not None:
        return False
    return timings.last - timings.request_first >= patience
