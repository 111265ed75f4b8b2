"""What a person wants to know at a glance, from a snapshot: pure functions, snapshot in, plain values out.

Judged over the last minutes, with the numbers the alert rules use, so that the page a person was sent and
the page they open agree. Ratios are None when nothing happened: no traffic is neither good nor bad.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from sidecar import catalog, catalog_quality
from sidecar.admin.attention import sentences
from sidecar.admin.labelled import quality
from sidecar.admin.quantile import merged, quantile
from sidecar.admin.window import Between
from sidecar.batch import UNAVAILABLE, State
from sidecar.exchange import Outcome
from sidecar.metric import Metric
from sidecar.registry import Distribution, Labels, Snapshot

# More than this many features on one page help nobody; the worst come first, and the rest are counted.
MAX_FEATURES = 100
MAX_MODELS = 50

# Availability's own sets (docs, "What counts"): the rest says nothing about the model server.
_ERRORS = frozenset(
    {Outcome.SERVER_ERROR, Outcome.UPSTREAM_UNREACHABLE, Outcome.UPSTREAM_RESET, Outcome.TRUNCATED}
)
_UNAVAILABLE = tuple(state.name.lower() for state in sorted(UNAVAILABLE))
_INVALID = (State.OUT_OF_RANGE.name.lower(), State.UNSEEN_CATEGORY.name.lower())


V = TypeVar("V")


class Details(TypedDict, total=False):
    """What is not in a snapshot. Everything is optional; times are wall-clock seconds.

    `verdicts` are drift events, newest first, each with at least `text`; `learning` says for each model
    that has no reference yet how many rows it has and needs; `references` holds one JSON object a model;
    `problems` are those of the data that stand, each with `model`, `feature`, `problem`, `text` and `since`.
    """

    version: str
    upstream: str
    listen: str
    since: float
    verdicts: Sequence[Mapping[str, Any]]
    problems: Sequence[Mapping[str, Any]]
    learning: Mapping[str, Mapping[str, Any]]
    references: Mapping[str, Mapping[str, Any]]


def status(snapshot: Snapshot, earlier: Snapshot | None, details: Details) -> dict[str, Any]:
    """Everything the status page shows. `earlier` is where the window begins; None: at the start."""
    between = Between(snapshot, earlier)
    every_feature = features(between)
    found = {
        "version": details.get("version", ""),
        "listen": details.get("listen", ""),
        "upstream": details.get("upstream", ""),
        "since": details.get("since", snapshot.started),
        "now": snapshot.taken,
        "window_seconds": between.seconds,
        "traffic": traffic(between),
        "models": models(between)[:MAX_MODELS],
        "objectives": objectives(between),
        "features": every_feature[:MAX_FEATURES],
        "features_total": len(every_feature),
        "drift": drift(between),
        "verdicts": [dict(verdict) for verdict in details.get("verdicts", ())],
        "problems": [dict(problem) for problem in list(details.get("problems", ()))[:MAX_FEATURES]],
        "quality": quality(between),
        "references": references(between, details.get("learning", {})),
        "not_seen": not_seen(between),
        "cost": cost(between),
    }
    found["attention"] = sentences(found)
    return found


def traffic(between: Between) -> dict[str, Any]:
    """All models together."""
    counted = between.increase(catalog.REQUESTS)
    durations = _ok_durations(between).values()
    return {
        **_requests(counted, between.seconds),
        **_latency(list(durations)),
        "requests_total": sum(between.numbers(catalog.REQUESTS).values()),
        "in_flight": sum(between.numbers(catalog.IN_FLIGHT).values()),
        "outcomes": _by(catalog.REQUESTS, "outcome", counted),
        "codes": _by(catalog.REQUESTS, "code", counted),
    }


def models(between: Between) -> list[dict[str, Any]]:
    """Each model and version, the busiest first."""
    counted = _grouped(between.increase(catalog.REQUESTS))
    durations = _grouped(_ok_durations(between))
    rows, complete = between.increase(catalog.ROWS), between.increase(catalog.ROWS_COMPLETE)
    found = [
        {
            "model_name": name,
            "model_version": version,
            **_requests(series, between.seconds),
            **_latency(list(durations.get((name, version), {}).values())),
            "rows_per_second": _per(rows.get((name, version), 0.0), between.seconds),
            "complete_ratio": _per(complete.get((name, version), 0.0), rows.get((name, version), 0.0)),
        }
        for (name, version), series in counted.items()
    ]
    return sorted(found, key=lambda m: (-m["requests"], m["model_name"], m["model_version"]))


def objectives(between: Between) -> list[dict[str, Any]]:
    """Each objective and how fast its budget burns: 1 spends it exactly by the end of the period."""
    events = between.increase(catalog.SLO_EVENTS)
    found = []
    for (name, version, slo), objective in between.numbers(catalog.SLO_OBJECTIVE).items():
        good, bad = (events.get((name, version, slo, result), 0.0) for result in ("good", "bad"))
        bad_ratio = _per(bad, good + bad)
        burn = None if bad_ratio is None else _per(bad_ratio, 1 - objective)
        found.append(
            {"model_name": name, "model_version": version, "slo": slo, "objective": objective,
             "good": good, "bad": bad, "good_ratio": _per(good, good + bad), "burn_rate": burn}
        )  # fmt: skip
    return sorted(found, key=lambda o: (-(o["burn_rate"] or 0), o["model_name"], o["slo"]))


def features(between: Between) -> list[dict[str, Any]]:
    """Each feature by the states of its values, the worst first."""
    states: dict[Labels, dict[str, float]] = defaultdict(dict)
    for (name, version, feature, state), count in between.increase(catalog.FEATURE_VALUES).items():
        states[(name, version, feature)][state] = count
    levels = {key[:2] + key[3:4]: key[4] for key in _active(between) if key[2] == "feature"}
    scores = {key[:2] + key[3:4]: v for key, v in _psi(between).items() if key[2] == "feature"}
    found = []
    for key, counts in states.items():
        total = sum(counts.values())
        available = _per(total - sum(counts.get(state, 0.0) for state in _UNAVAILABLE), total)
        found.append(
            {"model_name": key[0], "model_version": key[1], "feature": key[2], "values": total,
             "available_ratio": available,
             "invalid_ratio": _per(sum(counts.get(state, 0.0) for state in _INVALID), total),
             "states": {state: count for state, count in counts.items() if count},
             "psi": scores.get(key), "drift": levels.get(key, "")}
        )  # fmt: skip
    return sorted(found, key=_badness)


def drift(between: Between) -> list[dict[str, Any]]:
    """The verdicts that stand, pages first; those within a segment say where (`folded`: the whole has it)."""
    scores = _psi(between)
    found = [
        {"model_name": key[0], "model_version": key[1], "kind": key[2], "name": key[3], "level": key[4],
         "psi": scores.get(key[:4])}
        for key in _active(between)
    ]  # fmt: skip
    found += [
        {"model_name": name, "model_version": version, "kind": kind, "name": column, "level": "ticket",
         "psi": None, "segment": segment, "value": value, "folded": state == "folded"}
        for (name, version, segment, value, kind, column, state), stands
        in between.numbers(catalog_quality.SEGMENT_DRIFT_ACTIVE).items() if stands
    ]  # fmt: skip
    return sorted(found, key=_loudness)


def _loudness(verdict: Mapping[str, Any]) -> tuple[Any, ...]:
    """Pages first, what is folded into another last."""
    return (verdict["level"] != "page", verdict.get("folded", False), -(verdict["psi"] or 0), verdict["name"],
            verdict.get("value", ""))  # fmt: skip


def references(between: Between, learning: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What drift is judged against, and what is still being learnt."""
    found: list[dict[str, Any]] = [
        {"model_name": name, "model_version": version, "profile": profile, "source": source}
        for (name, version, profile, source), value in between.numbers(catalog.REFERENCE_INFO).items()
        if value
    ]
    found += [
        {"model_name": name, "model_version": "", "profile": "", "source": "learning", **progress}
        for name, progress in learning.items()
    ]
    return found


def not_seen(between: Between) -> dict[str, Any]:
    """What the numbers above do not include, and why. `recent` is the window, `total` since the start."""
    connections = between.numbers(catalog.CONNECTIONS)
    blind = sum(value for (state, _), value in connections.items() if state == "blind")
    counted = {
        "chunks_dropped": catalog.CHUNKS_DROPPED,
        "bytes_not_copied": catalog.TEE_DROPPED_BYTES,
        "undecoded": catalog.UNDECODED,
        "unobserved": catalog.UNOBSERVED,
        "other_exchanges": catalog.OTHER_EXCHANGES,
        "series_overflow": catalog.SERIES_OVERFLOW,
        "upstream_connect_failures": catalog.UPSTREAM_CONNECT_FAILURES,
        "observer_restarts": catalog.OBSERVER_RESTARTS,
    }
    return {
        "connections": sum(connections.values()),
        "blind_connections": blind,
        **{name: _losses(between, metric) for name, metric in counted.items()},
    }


def cost(between: Between) -> dict[str, Any]:
    """What we take: processors (1 is one core), memory, delay."""
    lag = between.observed(catalog.RELAY_LOOP_LAG).values()
    bounds = catalog.RELAY_LOOP_LAG.buckets
    return {
        "cpu": {k[0]: _per(v, between.seconds) for k, v in between.increase(catalog.CPU_SECONDS).items()},
        "memory_bytes": {k[0]: v for k, v in between.numbers(catalog.MEMORY_BYTES).items()},
        "observer_lag_seconds": between.numbers(catalog.OBSERVER_LAG).get(()),
        "relay_loop_lag_p99_seconds": quantile(0.99, bounds, merged(lag, len(bounds) + 1)),
        "relayed_bytes_per_second": _per(
            sum(between.increase(catalog.RELAY_BYTES).values()), between.seconds
        ),
        "otlp_export_failures": sum(between.increase(catalog.OTLP_EXPORT_FAILURES).values()),
    }


def _requests(counted: Mapping[Labels, float], seconds: float) -> dict[str, Any]:
    outcomes = _by(catalog.REQUESTS, "outcome", counted)
    errors = sum(outcomes.get(outcome, 0.0) for outcome in _ERRORS)
    total = sum(outcomes.values())
    return {
        "requests": total,
        "requests_per_second": _per(total, seconds),
        "errors": errors,
        "error_ratio": _per(errors, errors + outcomes.get(Outcome.OK, 0.0)),
        "client_error_ratio": _per(outcomes.get(Outcome.CLIENT_ERROR, 0.0), total),
    }


def _latency(durations: list[Distribution]) -> dict[str, Any]:
    bounds = catalog.REQUEST_DURATION.buckets
    together = merged(durations, len(bounds) + 1)
    return {f"p{n}_seconds": quantile(n / 100, bounds, together) for n in (50, 95, 99)}


def _ok_durations(between: Between) -> dict[Labels, Distribution]:
    at = catalog.REQUEST_DURATION.labels.index("outcome")
    observed = between.observed(catalog.REQUEST_DURATION)
    return {labels: value for labels, value in observed.items() if labels[at] == Outcome.OK}


def _grouped(series: Mapping[Labels, V]) -> dict[Labels, dict[Labels, V]]:
    """By model name and version, which come first in every family that has them."""
    found: dict[Labels, dict[Labels, V]] = defaultdict(dict)
    for labels, value in series.items():
        found[labels[:2]][labels] = value
    return found


def _by(metric: Metric, label: str, counted: Mapping[Labels, float]) -> dict[str, float]:
    at = metric.labels.index(label)
    found: dict[str, float] = defaultdict(float)
    for labels, value in counted.items():
        if value:
            found[labels[at]] += value
    return dict(found)


def _losses(between: Between, metric: Metric) -> list[dict[str, Any]]:
    recent = between.increase(metric)
    return [
        {**dict(zip(metric.labels, labels, strict=True)), "recent": recent[labels], "total": total}
        for labels, total in between.numbers(metric).items()
        if total
    ]


def _active(between: Between) -> list[Labels]:
    return [labels for labels, value in between.numbers(catalog.DRIFT_ACTIVE).items() if value]


def _psi(between: Between) -> dict[Labels, float]:
    scores = between.numbers(catalog.DRIFT_SCORE)
    return {labels[:4]: value for labels, value in scores.items() if labels[4] == "psi"}


def _badness(feature: Mapping[str, Any]) -> tuple[Any, ...]:
    available, invalid = feature["available_ratio"], feature["invalid_ratio"]
    level = {"page": 0, "ticket": 1}.get(feature["drift"], 2)
    return (1.0 if available is None else available, level, -(invalid or 0), -(feature["psi"] or 0),
            feature["model_name"], feature["feature"])  # fmt: skip


def _per(part: float, whole: float) -> float | None:
    return part / whole if whole else None
