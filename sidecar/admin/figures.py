"""Numbers and text as people read them, safe to put into HTML.

`text` is the only way for a value that is not ours into the page: it escapes, and it isolates the writing
direction, so that a name written right to left cannot rearrange the line. What did not happen is a dash.
"""

import time
from html import escape

NOTHING = "–"
# The floors of the alert rules: one failure of two requests is a share of a half and no reason to shout.
FEW, MANY = 3, 10


def text(value: object) -> str:
    """Text from anywhere, made harmless."""
    return f"<bdi>{escape(str(value))}</bdi>" if value not in ("", None) else ""


def tag(level: str) -> str:
    """A level or a source as a small label; its colour is its class."""
    return f'<span class="tag {escape(str(level))}">{escape(str(level))}</span>' if level else ""


def toned(text: str, tone: str) -> str:
    """HTML in the colour of a tone, if it has one."""
    return f'<span class="{tone}">{text}</span>' if tone else text


def tone(value: float | None, warn: float, bad: float) -> str:
    """Which colour a number deserves: "", "warn" or "bad"."""
    return "" if value is None or value < warn else "warn" if value < bad else "bad"


def floored(level: str, count: float) -> str:
    """`level` ("", "warn" or "bad"), but silent about fewer than `FEW` events and no alarm below `MANY`."""
    if count < FEW:
        return ""
    return "warn" if level == "bad" and count < MANY else level


def tone_low(share: float | None) -> str:
    """The same for a share that should be one."""
    return "" if share is None else tone(1 - share, 0.001, 0.01)


def ratio(value: float | None) -> str:
    """A share in percent; never 100 % for something that is not all, nor 0 % for something."""
    if value is None:
        return NOTHING
    percent = 100 * value
    if 99.999 < percent < 100:
        return "> 99.999 %"
    if 0 < percent < 0.001:
        return "< 0.001 %"
    digits = 0 if percent in (0, 100) else 3 if percent > 99.9 or percent < 0.1 else 2 if percent > 99 else 1
    return f"{percent:.{digits}f} %"


def rate(value: float | None) -> str:
    """A number per second, with the digits it deserves."""
    return NOTHING if value is None else _digits(value)


def whole(value: float | None) -> str:
    """A whole number."""
    return NOTHING if value is None else f"{value:,.0f}"


def score(value: float | None) -> str:
    """A score with two decimals."""
    return NOTHING if value is None else f"{value:z.2f}"


def seconds(value: float | None) -> str:
    """A duration in the unit people use for it."""
    if value is None:
        return NOTHING
    return f"{_digits(1000 * value)} ms" if value < 1 else f"{_digits(value)} s"


def _digits(value: float) -> str:
    if value >= 10 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def size(value: float | None) -> str:
    """Bytes as MiB."""
    return NOTHING if value is None else f"{value / 2**20:,.0f} MiB"


def length(seconds: float) -> str:
    """How long something has been going on."""
    seconds = max(int(seconds), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} d"


def clock(moment: float) -> str:
    """A wall-clock time, in UTC as incident reports are."""
    return time.strftime("%H:%M:%S UTC", time.gmtime(moment))
