"""Lines over time and bars side by side, as SVG."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from tests.dashboards.asking import Result, Stretch
from tests.dashboards.units import text

COLORS = (
    "#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#37872d", "#fade2a", "#8ab8ff",
    "#ffb357", "#ff9830", "#ca95e5",
)  # fmt: skip
NAMED = {"green": "#37872d", "orange": "#ff9830", "red": "#e02f44", "blue": "#3274d9"}
_LEFT, _BOTTOM, _TOP = 64, 18, 6


def lines(
    panel: Mapping[str, Any], named: Sequence[tuple[str, Result]], stretch: Stretch, size: tuple[int, int]
) -> str:
    """All series of a panel over the stretch of time; stacked, if the panel says so."""
    width, height = size
    defaults = panel["fieldConfig"]["defaults"]
    series = [(name, dict(one["points"])) for name, one in named]
    stacked = defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    drawn = _stacked(series) if stacked else series
    values = [v for _, points in drawn for v in points.values()]
    low, high = _limits(values, defaults.get("min"))
    plot = _Plot(stretch, low, high, width, height)
    parts = [plot.grid(defaults["unit"]), *(plot.limit(s) for s in _steps(defaults))]
    for index, (_, points) in enumerate(drawn):
        parts.append(
            plot.line(
                points,
                COLORS[index % len(COLORS)],
                drawn[index - 1][1] if stacked and index else None,
                stacked,
            )
        )
    return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg>'


def columns(rows: Sequence[Mapping[str, Any]], category: str, unit: str, size: tuple[int, int]) -> str:
    """A group of bars for each row."""
    width, height = size
    sides = [name for name in rows[0] if name != category]
    high = max((row[s] or 0.0 for row in rows for s in sides), default=1.0) or 1.0
    base, group = height - 60, (width - _LEFT) / len(rows)
    parts = [f'<text x="{_LEFT - 4}" y="12" class="axis" text-anchor="end">{text(high, unit)}</text>']
    for place, row in enumerate(rows):
        left = _LEFT + place * group
        for index, side in enumerate(sides):
            tall = (row[side] or 0.0) / high * (base - _TOP)
            bar = group * 0.8 / len(sides)
            parts.append(
                f'<rect x="{left + index * bar:.1f}" y="{base - tall:.1f}" width="{bar:.1f}" '
                f'height="{tall:.1f}" fill="{COLORS[index]}"/>'
            )
        label = html.escape(str(row[category]))
        at = f"{left + group / 2:.0f},{base + 12}"
        x, y = at.split(",")
        parts.append(
            f'<text x="{x}" y="{y}" class="axis" text-anchor="end" transform="rotate(-30 {at})">'
            f"{label}</text>"
        )
    return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg>'


def _stacked(series: Sequence[tuple[str, dict[float, float]]]) -> list[tuple[str, dict[float, float]]]:
    total: dict[float, float] = {}
    drawn = []
    for name, points in series:
        total = {at: total.get(at, 0.0) + points.get(at, 0.0) for at in total | points}
        drawn.append((name, total))
    return drawn


def _limits(values: Sequence[float], floor: float | None) -> tuple[float, float]:
    finite = [v for v in values if abs(v) != float("inf")] or [0.0]
    low = floor if floor is not None else min(finite)
    high = max(finite)
    return low, high * 1.05 if high > low else low + 1


def _steps(defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    if defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode") != "dashed":
        return []
    return [step for step in defaults["thresholds"]["steps"] if step["value"]]


class _Plot:
    """Where a time and a value are on a picture."""

    def __init__(self, stretch: Stretch, low: float, high: float, width: int, height: int) -> None:
        self.stretch, self.low, self.high = stretch, low, high
        self.width, self.height = width, height

    def x(self, at: float) -> float:
        return _LEFT + (at - self.stretch.start) / self.stretch.seconds * (self.width - _LEFT - 4)

    def y(self, value: float) -> float:
        tall = self.height - _BOTTOM - _TOP
        return _TOP + tall - (min(value, self.high) - self.low) / (self.high - self.low) * tall

    def grid(self, unit: str) -> str:
        parts = []
        for part in range(5):
            value = self.low + (self.high - self.low) * part / 4
            y = self.y(value)
            parts.append(f'<line x1="{_LEFT}" x2="{self.width}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(
                f'<text x="{_LEFT - 4}" y="{y + 4:.1f}" class="axis" text-anchor="end">'
                f"{text(value, unit)}</text>"
            )
        for second in range(0, int(self.stretch.seconds) + 1, 10):
            x = self.x(self.stretch.start + second)
            parts.append(f'<text x="{x:.0f}" y="{self.height - 4}" class="axis">{second}s</text>')
        return "".join(parts)

    def limit(self, step: Mapping[str, Any]) -> str:
        if step["value"] > self.high:
            return ""
        y, color = self.y(step["value"]), NAMED.get(step["color"], step["color"])
        ends = f'x1="{_LEFT}" x2="{self.width}" y1="{y}" y2="{y}"'
        return f'<line {ends} stroke="{color}" stroke-dasharray="6 4"/>'

    def line(
        self, points: Mapping[float, float], color: str, below: Mapping[float, float] | None, filled: bool
    ) -> str:
        upper = [(self.x(at), self.y(value)) for at, value in sorted(points.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in upper)
        drawn = f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        if not filled:
            return drawn
        floor = below if below is not None else dict.fromkeys(points, self.low)
        lower = [(self.x(at), self.y(value)) for at, value in sorted(floor.items(), reverse=True)]
        around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *lower])
        return f'<polygon points="{around}" fill="{color}" opacity="0.35"/>{drawn}'
