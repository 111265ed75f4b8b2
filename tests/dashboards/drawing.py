"""A dashboard as a page of HTML, and the page as a picture made by Chromium without a window."""

import html
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.dashboards import boards, charts, frames
from tests.dashboards.asking import Answers, Result
from tests.dashboards.units import text

_CELL, _ROW = 66, 38
_WIDTH = 24 * _CELL
_STYLE = """
body{background:#111217;color:#ccccdc;font:13px Inter,Helvetica,sans-serif;margin:8px;position:relative}
.panel{position:absolute;background:#181b1f;border:1px solid #2c2f36;overflow:hidden;
padding:4px 8px;box-sizing:border-box}
.title{font-weight:600;margin-bottom:2px;white-space:nowrap}.row{position:absolute;font-weight:700;font-size:15px}
.axis{fill:#9a9aa8;font-size:10px}.grid{stroke:#2c2f36}.legend{font-size:11px;line-height:14px}
.legend span{margin-right:10px;white-space:nowrap}.big{font-size:26px;font-weight:600;text-align:center;
padding:6px;margin:2px;display:inline-block;color:#fff;min-width:45%}.small{font-size:11px;font-weight:400;display:block}
table{border-collapse:collapse;width:100%;font-size:12px}
td,th{border-bottom:1px solid #2c2f36;padding:3px 6px;text-align:left}
.name{display:inline-block;width:205px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;vertical-align:middle}
.none{color:#8e8ea0;text-align:center;padding-top:30px}.bar{height:15px;display:inline-block;vertical-align:middle}
"""


def page(uid: str, answers: Answers) -> tuple[str, int]:
    """The dashboard's HTML, at the last moment before all is well again, and how high it is."""
    board = boards.load()[uid]
    moment = answers.stretch.moments[-2]
    results: dict[tuple[str, str], Result] = {
        (q.panel, q.ref): answers.at(q, moment) for q in answers.results if q.board == uid
    }
    parts, bottom = [], 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        x, y, w, h = (place[k] * s for k, s in (("x", _CELL), ("y", _ROW), ("w", _CELL), ("h", _ROW)))
        bottom = max(bottom, y + h)
        title = html.escape(boards.filled(panel["title"], answers.chosen[uid], 0))
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="left:{x}px;top:{y + 12}px">▾ {title}</div>')
            continue
        style = f"left:{x}px;top:{y}px;width:{w - 6}px;height:{h - 6}px"
        body = _panel(panel, results, answers, (w - 26, h - 34))
        parts.append(f'<div class="panel" style="{style}"><div class="title">{title}</div>{body}</div>')
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><body>{''.join(parts)}", bottom + 30


def picture(uid: str, answers: Answers, path: Path) -> None:
    """Draw the dashboard into a PNG. Raises if there is no Chromium or it fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise FileNotFoundError("chromium is not installed")
    source = path.with_suffix(".html")
    text_of_page, height = page(uid, answers)
    source.write_text(text_of_page)
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={_WIDTH + 20},{height}",
    )
    subprocess.run(
        [chromium, *flags, f"--screenshot={path}", source.resolve().as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )


def _panel(
    panel: Mapping[str, Any], results: Mapping[Any, Result], answers: Answers, size: tuple[int, int]
) -> str:
    by_ref = {t["refId"]: results.get((panel["title"], t["refId"]), []) for t in panel["targets"]}
    if not any(by_ref.values()):
        return f'<div class="none">{panel["fieldConfig"]["defaults"].get("noValue", "No data")}</div>'
    return _DRAWN[panel["type"]](panel, by_ref, answers, size)


def _named(panel: Mapping[str, Any], by_ref: Mapping[str, Result]) -> list[tuple[str, dict[str, Any]]]:
    legends = {t["refId"]: t.get("legendFormat", "") for t in panel["targets"]}
    return [
        (_legend_of(legends[ref], one["metric"]), one) for ref, result in by_ref.items() for one in result
    ]


def _legend_of(pattern: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), pattern).strip()


def _graph(
    panel: Mapping[str, Any], by_ref: Mapping[str, Result], answers: Answers, size: tuple[int, int]
) -> str:
    named = _named(panel, by_ref)
    names = (
        f'<span><b style="color:{charts.COLORS[i % len(charts.COLORS)]}">━</b> {html.escape(name)}</span>'
        for i, (name, _) in enumerate(named)
    )
    rows = min(4, 1 + sum(len(name) * 7 + 30 for name, _ in named) // size[0])
    drawn = charts.lines(panel, named, answers.stretch, (size[0], size[1] - rows * 14 - 4))
    return f'{drawn}<div class="legend">{"".join(names)}</div>'


def _stat(
    panel: Mapping[str, Any], by_ref: Mapping[str, Result], answers: Answers, size: tuple[int, int]
) -> str:
    named, parts = _named(panel, by_ref), []
    for name, one in named:
        value = one["points"][-1][1]
        color = _color(panel["fieldConfig"]["defaults"]["thresholds"]["steps"], value)
        said = text(value, panel["fieldConfig"]["defaults"]["unit"])
        small = (
            f'<span class="small">{html.escape(name)}</span>'
            if len(named) > 1 or "{{" in _legend(panel)
            else ""
        )
        parts.append(f'<div class="big" style="background:{color}">{said}{small}</div>')
    return "".join(parts)


def _bars(
    panel: Mapping[str, Any], by_ref: Mapping[str, Result], answers: Answers, size: tuple[int, int]
) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    named = _named(panel, by_ref)
    most = defaults.get("max") or max(one["points"][-1][1] for _, one in named) or 1
    parts = []
    for name, one in named:
        value = one["points"][-1][1]
        wide = max(0.0, min(1.0, value / most)) * (size[0] - 290)
        color = _color(defaults["thresholds"]["steps"], value)
        parts.append(
            f'<div style="height:22px"><span class="name">{html.escape(name)}</span>'
            f'<span class="bar" style="width:{wide:.0f}px;background:{color}"></span> '
            f"{text(value, defaults['unit'])}</div>"
        )
    return "".join(parts)


def _table(
    panel: Mapping[str, Any], by_ref: Mapping[str, Result], answers: Answers, size: tuple[int, int]
) -> str:
    rows = frames.table(panel, by_ref)
    looks = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]}
             for o in panel["fieldConfig"].get("overrides", ())}  # fmt: skip
    every = looks.get(".*", {})
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = ""
    for row in rows:
        body += (
            "<tr>"
            + "".join(_cell(value, every | looks.get(name, {}), panel) for name, value in row.items())
            + "</tr>"
        )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any, look: Mapping[str, Any], panel: Mapping[str, Any]) -> str:
    if not isinstance(value, float):
        nothing = look.get("noValue", panel["fieldConfig"]["defaults"].get("noValue", ""))
        said = nothing if value is None else str(value)
        return f"<td>{html.escape(said)}</td>"
    said = text(value, look.get("unit", panel["fieldConfig"]["defaults"]["unit"]))
    if "custom.cellOptions" not in look:
        return f"<td>{said}</td>"
    return f'<td style="background:{_color(look["thresholds"]["steps"], value)};color:#fff">{said}</td>'


def _categories(
    panel: Mapping[str, Any], by_ref: Mapping[str, Result], answers: Answers, size: tuple[int, int]
) -> str:
    rows, category = frames.table(panel, by_ref), panel["options"]["xField"]
    names = (
        f'<span><b style="color:{charts.COLORS[i]}">■</b> {name}</span>'
        for i, name in enumerate(n for n in rows[0] if n != category)
    )
    drawn = charts.columns(rows, category, panel["fieldConfig"]["defaults"]["unit"], (size[0], size[1] - 20))
    return f'{drawn}<div class="legend">{"".join(names)}</div>'


def _legend(panel: Mapping[str, Any]) -> str:
    return panel["targets"][0].get("legendFormat", "")


def _color(steps: list[dict[str, Any]], value: float) -> str:
    color = [s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1]
    return charts.NAMED.get(color, color)


_DRAWN = {"timeseries": _graph, "stat": _stat, "bargauge": _bars, "table": _table, "barchart": _categories}
