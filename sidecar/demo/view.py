"""What people see while the demo runs: a live picture on a terminal, plain lines anywhere else.

Fits 80 × 24. Every number on it is computed from scraped metrics, but for the line that says what is
being injected.
"""

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sidecar.demo.director import Frame
from sidecar.demo.samples import Window
from sidecar.demo.scenario import PAGE_BURN_RATE, WINDOW_SECONDS
from sidecar.demo.summary import Finding

_DURATION = "inference_request_duration_seconds_bucket"
_ENDS = "inference_generation_ends_total"
# The features most worth a line; what is well stays away so that what is not stands out.
_FEATURE_LINES = 3
_STORY_LINES = 6
_WIDTH = 80
# The usual reading of a population stability index: past it, the two distributions are different ones.
_PSI_LARGE = 0.2
_PLAIN_EVERY_SECONDS = 5.0


class LiveView:
    """A picture that is redrawn in place, with the latest lines of the story under it."""

    def __init__(self, console: Console) -> None:
        self._lines: list[str] = []
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "LiveView":
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def say(self, line: str) -> None:
        """Add a line to the story."""
        self._lines.append(line)
        if self._live.is_started and len(self._lines) == 1:
            self._live.update(Text(line, style="dim"), refresh=True)

    def show(self, frame: Frame) -> None:
        """Redraw."""
        self._live.update(render(frame, self._lines), refresh=True)


class PlainView:
    """One line for each thing that happens, and the numbers every few seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=self._out, flush=True)

    def show(self, frame: Frame) -> None:
        """Print the numbers, when it is time to."""
        if frame.elapsed >= self._next:
            self._next = frame.elapsed + _PLAIN_EVERY_SECONDS
            self.say(f"  {_clock(frame.elapsed)}  {numbers(frame.recent.last(WINDOW_SECONDS))}")


def numbers(window: Window) -> str:
    """The traffic of a window in one line."""
    errors = error_ratio(window)
    return (
        f"{window.rate('inference_requests_total'):.0f} requests/s, {errors:.1%} failing, "
        f"p50 {_ms(window.quantile(0.5, _DURATION))}, p99 {_ms(window.quantile(0.99, _DURATION))}"
    )


def error_ratio(window: Window) -> float:
    """The share of requests that did not end well."""
    total = window.increase("inference_requests_total")
    good = window.increase("inference_requests_total", outcome="ok")
    return (total - good) / total if total else 0.0


def render(frame: Frame, lines: list[str]) -> RenderableType:
    """The whole picture, at most 80 × 24."""
    window = frame.recent.last(WINDOW_SECONDS)
    sides = Table.grid(expand=True, padding=(0, 1))
    sides.add_column(ratio=2)
    sides.add_column(ratio=3)
    sides.add_row(_traffic(window), _objectives(window, frame.objectives))
    body = Group(
        _timeline(frame), _cause(frame), Text(), sides, Text(), _below(window), Text(), _story(lines)
    )
    clock = f"{_clock(frame.elapsed)} / {_clock(frame.seconds)}"
    return Panel(
        body, title="[bold]inference-sidecar[/] demo", subtitle=clock, width=_WIDTH, border_style="blue"
    )


def _timeline(frame: Frame) -> RenderableType:
    line = Text()
    findings = {finding.name: finding for finding in frame.findings}
    for scene in frame.scenes:
        mark, style = _mark(scene is frame.scene, scene.end <= frame.elapsed, findings.get(scene.phase.name))
        line.append(f"{mark} {scene.phase.title}   ", style=style)
    # In a grid because a bar alone does not end its line.
    bar = Table.grid()
    bar.add_row(ProgressBar(total=frame.seconds, completed=frame.elapsed, width=_WIDTH - 4))
    return Group(line, bar)


def _mark(now: bool, over: bool, finding: Finding | None) -> tuple[str, str]:
    if finding is not None and finding.detected_at is not None:
        return "✔", "bold green" if now else "green"
    if now:
        return "▶", "bold"
    if over:
        return ("✘", "bold red") if finding is not None else ("✔", "green")
    return "·", "dim"


def _cause(frame: Frame) -> RenderableType:
    left = frame.scene.end - frame.elapsed
    return Text.assemble(("injected  ", "dim"), frame.scene.phase.story, (f"  ({left:.0f} s left)", "dim"))


def _traffic(window: Window) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    errors = error_ratio(window)
    table.add_row(Text("traffic", style="bold"), "")
    table.add_row("requests/s", f"{window.rate('inference_requests_total'):.0f}")
    table.add_row("rows/s", f"{window.rate('inference_rows_total'):.0f}")
    table.add_row("failing", Text(f"{errors:.1%}", style="bold red" if errors > 0.01 else ""))
    table.add_row(
        "p50 / p99", f"{_ms(window.quantile(0.5, _DURATION))} / {_ms(window.quantile(0.99, _DURATION))}"
    )
    return table


def _objectives(window: Window, objectives: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text("objectives", style="bold"), Text("target", style="dim"), Text("burn rate", style="dim")
    )
    for slo in objectives:
        burn = window.burn(slo)
        target = next((v for _, v in window.now.matching("inference_slo_objective_ratio", slo=slo)), None)
        style = "bold red" if burn >= PAGE_BURN_RATE else "yellow" if burn >= 1 else "green"
        table.add_row(
            slo.replace("_", " "), "" if target is None else f"{target:.1%}", Text(f"{burn:.1f}", style=style)
        )
    return table


def _below(window: Window) -> RenderableType:
    """Answers where they are generated, features elsewhere."""
    return _answers(window) if window.now.by("reason", _ENDS) else _features(window)


def _answers(window: Window) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("answers", style="bold"), Text("share", style="dim"))
    shares = {reason: window.ratio(_ENDS, {"reason": reason}) for reason in window.now.by("reason", _ENDS)}
    worst_last = sorted(shares.items(), key=lambda item: -item[1])
    for reason, share in worst_last[:_FEATURE_LINES]:
        well = reason in ("stop", "length", "tool")
        table.add_row(reason, Text(f"{share:.0%}", style="" if well or not share else "bold red"))
    return table


def _features(window: Window) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=3)
    table.add_column(justify="right", ratio=1)
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    table.add_row(
        Text("features", style="bold"), Text("null", style="dim"), Text("distance (PSI)", style="dim"),
        Text("verdict", style="dim"),
    )  # fmt: skip
    for name, nulls, psi, level in worst_features(window)[:_FEATURE_LINES]:
        table.add_row(
            name,
            Text(f"{nulls:.0%}", style="bold red" if nulls else ""),
            Text(_bar(psi), style="red" if psi > _PSI_LARGE else "green"),
            Text(level or "as ever", style="bold red" if level else "dim"),
        )
    return table


def worst_features(window: Window) -> list[tuple[str, float, float, str]]:
    """(name, share of nulls, PSI, drift level or "") of each feature, the most suspicious first."""
    values = "inference_feature_values_total"
    levels = {
        labels["name"]: labels["level"]
        for labels, value in window.now.matching("inference_drift_active", kind="feature")
        if value
    }
    scores = window.now.by("name", "inference_drift_score", kind="feature", method="psi")
    rows = [
        (
            name,
            window.ratio(values, {"feature": name, "state": "null"}, {"feature": name}),
            max(scores.get(name, 0.0), 0.0),
            levels.get(name, ""),
        )
        for name in window.now.by("feature", values)
    ]
    return sorted(rows, key=lambda row: (bool(row[3]), row[1], row[2]), reverse=True)


def _story(lines: list[str]) -> RenderableType:
    shown = lines[-_STORY_LINES:]
    text = Text("\n".join(shown + [""] * (_STORY_LINES - len(shown))), overflow="ellipsis", no_wrap=True)
    text.highlight_regex(r"seen after [0-9.]+ s", "bold green")
    text.highlight_regex(r"(PAGE|CRITICAL|TICKET|WARNING) received", "bold red")
    text.highlight_regex(r"FALSE ALARM", "bold white on red")
    return text


def _bar(psi: float) -> str:
    """A PSI as a bar and a number: ten marks at 1, where two distributions hardly overlap."""
    return f"{'█' * min(round(psi * 10), 10):<10} {psi:.2f}"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
