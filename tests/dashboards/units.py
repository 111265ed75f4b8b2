"""Numbers as people read them, by Grafana's id of their unit."""

_STEPS = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "bytes": ((2**30, "GiB"), (2**20, "MiB"), (1, "B"))}
_AFTER = {"reqps": " req/s", "cps": " /s", "ops": " ops/s", "Bps": " B/s"}


def text(value: float, unit: str) -> str:
    """`value` in `unit`."""
    if unit == "percentunit":
        return f"{_short(value * 100)} %"
    if unit == "dateTimeFromNow":
        return "a moment ago"
    if unit in _STEPS:
        size, name = next(((s, n) for s, n in _STEPS[unit] if abs(value) >= s), (_STEPS[unit][-1]))
        return f"{_short(value / size)} {name}"
    if abs(value) >= 1000:
        size, letter = (1e6, "M") if abs(value) >= 1e6 else (1e3, "K")
        return f"{_short(value / size)} {letter}{_AFTER.get(unit, '').strip()}"
    return f"{_short(value)}{_AFTER.get(unit, '')}"


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
