"""The status page: status in, HTML out. Self-contained, no script; the browser asks again every few seconds.

Names of models and features come from traffic, so they are hostile: everything that is text goes through
`figures.text`, which escapes it. Nothing else may put a value into the page.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sidecar.admin.attention import PAGE_BURN, TICKET_BURN
from sidecar.admin.figures import (
    clock,
    floored,
    length,
    rate,
    ratio,
    score,
    seconds,
    size,
    tag,
    text,
    tone,
    tone_low,
    toned,
    whole,
)
from sidecar.admin.style import CSS
from sidecar.counting import counted

# Often enough to watch an incident, seldom enough to read a line.
REFRESH_SECONDS = 5

# Population stability index: the field's usual marks for "look" and "act".
_PSI_LOOK, _PSI_ACT = 0.1, 0.25

Row = Mapping[str, Any]
Cell = Callable[[Row], str]


def page(status: Row) -> str:
    """The page for a status, as `sidecar.admin.status.status` makes it."""
    parts = [
        _head(status),
        _attention(status),
        _stats(status),
        _objectives(status["objectives"]),
        _models(status["models"]),
        _features(status["features"], status["features_total"]),
        _drift(status["drift"], status["verdicts"]),
        _quality(status["quality"]),
        '<div class="columns">',
        _not_seen(status["not_seen"]),
        "<div>",
        _references(status["references"]),
        _cost(status["cost"]),
        "</div></div>",
    ]
    return "".join(parts) + "</main></body></html>\n"


def _head(status: Row) -> str:
    worst = {note["level"] for note in status["attention"]}
    mark = "● " if "bad" in worst else "○ " if "warn" in worst else ""
    route = " → ".join(text(status[end]) for end in ("listen", "upstream") if status[end])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{mark}inference-sidecar</title><style>{CSS}</style></head><body><main><header>"
        f"<h1>inference-sidecar <small>{text(status['version'])}</small></h1>"
        f'<span class="route">{route}</span>'
        f'<span class="dim">up {length(status["now"] - status["since"])} · {clock(status["now"])}</span>'
        '<nav><a href="/metrics">metrics</a><a href="/api/v1/status">JSON</a></nav></header>'
    )


def _attention(status: Row) -> str:
    notes = status["attention"] or [{"level": "good", "text": "Nothing needs attention."}]
    items = "".join(f'<li class="{note["level"]}">{text(note["text"])}</li>' for note in notes)
    return f'<ul class="notes">{items}</ul>'


def _stats(status: Row) -> str:
    traffic, models = status["traffic"], status["models"]
    rows = sum(model["rows_per_second"] or 0 for model in models)
    shown = [
        ("requests / s", rate(traffic["requests_per_second"]), ""),
        ("errors", ratio(traffic["error_ratio"]), _errors(traffic)),
        ("latency p50", seconds(traffic["p50_seconds"]), ""),
        ("latency p99", seconds(traffic["p99_seconds"]), ""),
        ("rows / s", rate(rows), ""),
        ("in flight", whole(traffic["in_flight"]), ""),
    ]
    boxes = "".join(f'<div class="stat"><b class="{c}">{v}</b><span>{n}</span></div>' for n, v, c in shown)
    window = f"<footer>The last {length(status['window_seconds'])}; latency of successful unary requests, "
    return f'<div class="stats">{boxes}</div>{window}estimated from histogram buckets.</footer>'


def _objectives(found: Sequence[Row]) -> str:
    def burn(row: Row) -> str:
        rate = row["burn_rate"]
        if rate is None:
            return "–"
        return toned(f"{rate:,.1f}×", floored(tone(rate, TICKET_BURN, PAGE_BURN), row["bad"]))

    columns: dict[str, Cell] = {
        "objective": lambda row: text(row["slo"].replace("_", " ")),
        "model": _model,
        "n:target": lambda row: ratio(row["objective"]),
        "n:good": lambda row: ratio(row["good_ratio"]),
        "n:bad events": lambda row: whole(row["bad"]),
        "n:budget burn": burn,
    }
    return _table("Objectives", f"{PAGE_BURN}× pages, {TICKET_BURN:.0f}× spends the budget", columns, found)


def _models(found: Sequence[Row]) -> str:
    columns: dict[str, Cell] = {
        "model": _model,
        "n:requests / s": lambda row: rate(row["requests_per_second"]),
        "n:errors": lambda row: toned(ratio(row["error_ratio"]), _errors(row)),
        "n:client errors": lambda row: ratio(row["client_error_ratio"]),
        "n:p50": lambda row: seconds(row["p50_seconds"]),
        "n:p95": lambda row: seconds(row["p95_seconds"]),
        "n:p99": lambda row: seconds(row["p99_seconds"]),
        "n:rows / s": lambda row: rate(row["rows_per_second"]),
        "n:rows complete": lambda row: ratio(row["complete_ratio"]),
    }
    return _table("Models", "", columns, found, empty="No inference seen yet.")


def _features(found: Sequence[Row], total: int) -> str:
    columns: dict[str, Cell] = {
        "feature": lambda row: text(row["feature"]),
        "model": _model,
        "": _bar,
        "n:available": lambda row: toned(ratio(row["available_ratio"]), _unavailable(row)),
        "n:out of range or unseen": lambda row: ratio(row["invalid_ratio"]),
        "why": _why,
        "n:PSI": lambda row: toned(score(row["psi"]), tone(row["psi"], _PSI_LOOK, _PSI_ACT)),
        "drift": lambda row: tag(row["drift"]),
    }
    more = f"worst first, {len(found)} of {total}" if total > len(found) else "worst first"
    return _table("Features", more, columns, found, empty="No features decoded yet.", named=("feature",))


def _drift(found: Sequence[Row], verdicts: Sequence[Row]) -> str:
    columns: dict[str, Cell] = {
        "": lambda row: tag(row["level"]),
        "name": lambda row: text(row["name"]),
        "kind": lambda row: text(row["kind"]),
        "model": _model,
        **_where(found),
        "n:PSI": lambda row: toned(score(row["psi"]), tone(row["psi"], _PSI_LOOK, _PSI_ACT)),
    }
    standing = _table("Drift", "verdicts that stand", columns, found, empty="None.", named=("name",))
    lines: dict[str, Cell] = {
        "": lambda row: tag(row.get("level", "event")),
        "name": lambda row: text(row.get("name", "")),
        "kind": lambda row: text(row.get("kind", "")),
        "model": lambda row: text(row.get("model", "")),
        **_where(verdicts[:20]),
        "what": lambda row: text(row.get("text", "")),
        "n:when": lambda row: clock(row["time"]) if isinstance(row.get("time"), int | float) else "",
    }
    return standing + (
        _table("Recent drift events", "", lines, verdicts[:20], named=("name",)) if verdicts else ""
    )


def _where(found: Sequence[Row]) -> dict[str, Cell]:
    """Which segment's value a verdict is about; no column where all are about all rows."""

    def where(row: Row) -> str:
        if not row.get("segment"):
            return ""
        said = f"{row['segment']} = {row['value']}"
        return text(f"{said}, as the whole" if row.get("folded") else said)

    return {"where": where} if any(row.get("segment") for row in found) else {}


def _quality(found: Sequence[Row]) -> str:
    """Nothing for whoever has no labels."""
    columns: dict[str, Cell] = {
        "model": _model,
        "": lambda row: tag("degraded") if row["degraded"] else "",
        "n:matched": lambda row: whole(row["labels"]["matched"]),
        "n:of those that waited": lambda row: ratio(row["coverage_ratio"]),
        "n:unknown": lambda row: whole(row["labels"]["unknown"]),
        "n:duplicate": lambda row: whole(row["labels"]["duplicate"]),
        "n:lag p50": lambda row: (
            length(row["lag_p50_seconds"]) if row["lag_p50_seconds"] is not None else "–"
        ),
        "quality": _metrics,
    }
    return _table("Labels", "quality of the last labelled predictions", columns, found) if found else ""


def _metrics(row: Row) -> str:
    said = " · ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row["metrics"].items())
    said = f"{said} (of {row['judged']:,.0f})" if said else f"too few yet ({row['judged']:,.0f})"
    return f'<span class="long">{text(said)}</span>'


def _not_seen(lost: Row) -> str:
    names = {
        "chunks_dropped": "chunks not read",
        "bytes_not_copied": "bytes not copied",
        "undecoded": "payloads not decoded",
        "unobserved": "exchanges partly seen",
        "upstream_connect_failures": "no model server",
        "series_overflow": "label values over the cap",
        "observer_restarts": "observer restarts",
        "other_exchanges": "not inference",
    }
    rows = [{"what": names[key], **loss} for key in names for loss in lost[key]]
    columns: dict[str, Cell] = {
        "what": lambda row: text(row["what"]),
        "why": lambda row: text(
            " · ".join(str(v) for k, v in row.items() if k not in ("what", "recent", "total"))
        ),
        "n:lately": lambda row: whole(row["recent"]),
        "n:in all": lambda row: whole(row["total"]),
    }
    of = counted(lost["connections"], "connection")
    blind = f"{whole(lost['blind_connections'])} of {of} blind"
    return _table("Not in these numbers", blind, columns, rows, empty="Everything was seen.")


def _references(found: Sequence[Row]) -> str:
    columns: dict[str, Cell] = {
        "model": _model,
        "": lambda row: tag(row["source"]),
        "profile": lambda row: text(row["profile"]),
        "n:rows": lambda row: (
            f"{whole(row['rows'])} of {whole(row['needed'])}"
            if isinstance(row.get("rows"), int | float) and isinstance(row.get("needed"), int | float)
            else ""
        ),
    }
    return _table("References", "what drift is judged against", columns, found, empty="None yet.")


def _cost(cost: Row) -> str:
    rows = [
        {"process": name, "cpu": cost["cpu"].get(name), "memory": cost["memory_bytes"].get(name)}
        for name in sorted({*cost["cpu"], *cost["memory_bytes"]})
    ]
    columns: dict[str, Cell] = {
        "process": lambda row: text(row["process"]),
        "n:of a core": lambda row: ratio(row["cpu"]),
        "n:memory": lambda row: size(row["memory"]),
    }
    lag = f"relay late by {seconds(cost['relay_loop_lag_p99_seconds'])} (p99), "
    lag += f"observer by {seconds(cost['observer_lag_seconds'])}"
    return _table("What we cost", lag, columns, rows, empty="Not measured yet.")


def _table(
    title: str,
    note: str,
    columns: Mapping[str, Cell],
    rows: Iterable[Row],
    *,
    empty: str = "None.",
    named: Sequence[str] = (),
) -> str:
    """A section. A column whose title begins with `n:` holds numbers; `named` ones are set stronger."""
    heads = "".join(f"<th{_class(title)}>{title.removeprefix('n:')}</th>" for title in columns)
    body = "".join(
        "<tr>" + "".join(f"<td{_class(t, named)}>{cell(row)}</td>" for t, cell in columns.items()) + "</tr>"
        for row in rows
    )
    table = f"<table><tr>{heads}</tr>{body}</table>" if body else f'<span class="dim">{empty}</span>'
    return f"<section><h2>{title}<small>{note}</small></h2>{table}</section>"


def _class(title: str, named: Sequence[str] = ()) -> str:
    return ' class="n"' if title.startswith("n:") else ' class="name"' if title in named else ""


def _model(row: Row) -> str:
    version = row["model_version"]
    return text(row["model_name"]) + (f' <span class="dim">{text(version)}</span>' if version else "")


def _errors(row: Row) -> str:
    return floored(tone(row["error_ratio"], 0.001, 0.01), row["errors"])


def _unavailable(row: Row) -> str:
    share = row["available_ratio"]
    return "" if share is None else floored(tone_low(share), round((1 - share) * row["values"]))


def _bar(row: Row) -> str:
    available, invalid = row["available_ratio"], row["invalid_ratio"]
    if available is None:
        return ""
    parts = (("ok", available - (invalid or 0)), ("odd", invalid or 0), ("no", 1 - available))
    inner = "".join(
        f'<i class="{c}" style="width:{100 * share:.2f}%"></i>' for c, share in parts if share > 0
    )
    return f'<div class="bar">{inner}</div>'


def _why(row: Row) -> str:
    wrong = sorted(
        ((count, state) for state, count in row["states"].items() if state != "valid"), reverse=True
    )
    said = ", ".join(f"{state.replace('_', ' ')} {count:,.0f}" for count, state in wrong)
    return f'<span class="dim">{text(said)}</span>' if said else ""
