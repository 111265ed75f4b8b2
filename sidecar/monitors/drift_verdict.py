"""What drift has to say: a verdict about one signal of one column, with what it rests on."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How loud a verdict is: shown, looked at in working hours, or worth waking somebody."""

    EVENT = "event"
    TICKET = "ticket"
    PAGE = "page"


@dataclass(slots=True)
class Verdict:
    """A change that was found. A ticket or a page stands until `ended_row`; an event only happened.

    `row` is the 0-based row of the model at which it was raised, `since_row` where the change seems to
    begin; times are monotonic seconds. `before` and `after` are in `unit`: deviations of the reference's
    normal scores ("sd") or a share of rows ("share"). `why` is a sentence for people.
    """

    model: str
    kind: str
    name: str
    signal: str
    level: Level
    unit: str
    row: int
    time: float
    since_row: int
    since_time: float
    before: float
    after: float
    psi: float
    why: str
    ended_row: int | None = None
    ended_time: float | None = None

    @property
    def standing(self) -> bool:
        """Whether the change still holds."""
        return self.level is not Level.EVENT and self.ended_row is None

    @property
    def score(self) -> float:
        """How big the change is, in `unit`."""
        return self.after - self.before
