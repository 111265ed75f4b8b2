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
    normal scores ("sd") or a share of rows ("share"). `why` is a sentence for people. `shares` are the bins
    that moved most: what they hold, their share in the reference and now. `evidence` is how sure it is, in
    nats: by chance it would be as much in one of e^evidence batches. `segment` and `value` say which rows of
    the model it is about, "" for all; `folded`: the model as a whole says it already.
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
    shares: tuple[tuple[str, float, float], ...] = ()
    evidence: float = 0.0
    ended_row: int | None = None
    ended_time: float | None = None
    segment: str = ""
    value: str = ""
    folded: bool = False

    @property
    def standing(self) -> bool:
        """Whether the change still holds."""
        return self.level is not Level.EVENT and self.ended_row is None

    def line(self) -> str:
        """Everything of note as `key=value`, for a log."""
        within = f"segment={self.segment} value={self.value} " if self.segment else ""
        said = (
            f"drift {self.level.value}: model={self.model} {within}{self.kind}={self.name} "
            f"signal={self.signal} before={self.before:.4g} after={self.after:.4g} unit={self.unit} "
            f"psi={self.psi:z.3f} evidence={self.evidence:.1f} row={self.row} since_row={self.since_row}: "
            f"{self.why}"
        )
        moved = "; ".join(f"{name}: {before:.1%} -> {now:.1%}" for name, before, now in self.shares)
        return f"{said}; shares: {moved}" if moved else said

    @property
    def score(self) -> float:
        """How big the change is, in `unit`."""
        return self.after - self.before
