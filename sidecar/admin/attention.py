"""What a person should look at now, in sentences. Decides from the status; states facts, not causes."""

from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.admin.figures import floored

# The burn rates of the fastest page and of the slowest ticket (Google SRE workbook, "Alerting on SLOs").
PAGE_BURN = 14.4
TICKET_BURN = 1.0

_LOSSES = {
    "upstream_connect_failures": (
        "connection found no model server",
        "connections found no model server",
    ),
    "chunks_dropped": (
        "chunk of traffic was relayed but not read",
        "chunks of traffic were relayed but not read",
    ),
    "undecoded": ("inference payload could not be read", "inference payloads could not be read"),
    "unobserved": ("exchange was only partly seen", "exchanges were only partly seen"),
    "observer_restarts": ("restart of the observer", "restarts of the observer"),
    "series_overflow": (
        "observation went under __other__: too many label values",
        "observations went under __other__: too many label values",
    ),
}
_BLIND = ("connection is relayed but cannot be read", "connections are relayed but cannot be read")


def sentences(status: Mapping[str, Any]) -> list[dict[str, str]]:
    """`level` ("bad", "warn", "info") and `text` for each finding, the worst first."""
    found = [
        *_objectives(status), *_problems(status), *_drift(status), *_quality(status), *_blind(status),
        *_idle(status),
    ]  # fmt: skip
    order = ("bad", "warn", "info")
    return sorted(found, key=lambda finding: order.index(finding["level"]))


def _finding(level: str, text: str) -> dict[str, str]:
    return {"level": level, "text": text}


def _objectives(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for objective in status["objectives"]:
        burn = objective["burn_rate"]
        if burn is None or burn < TICKET_BURN:
            continue
        model = _model(objective)
        text = f"{objective['slo'].replace('_', ' ')} of {model}: {objective['bad']:,.0f} of "
        text += f"{objective['bad'] + objective['good']:,.0f} bad, budget burning at {burn:,.1f}×"
        if level := floored(_burning(burn, objective["slo"]), objective["bad"]):
            yield _finding(level, text)


def _burning(burn: float, slo: str) -> str:
    # A label is about a prediction made long ago: quality never pages.
    return "bad" if burn >= PAGE_BURN and slo != "quality" else "warn"


def _drift(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for verdict in status["drift"]:
        psi = "" if verdict["psi"] is None else f" (PSI {verdict['psi']:z.2f})"
        text = f"{verdict['kind']} {verdict['name']} of {_model(verdict)} drifts{psi}"
        if verdict["kind"] == "joint":
            text = f"features of {_model(verdict)} no longer go together as they did"
        if "segment" in verdict:
            if verdict["folded"]:
                continue  # said of the model as a whole
            where = f"where {verdict['segment']} is {verdict['value']}"
            text = f"{verdict['kind']} {verdict['name']} of {_model(verdict)} drifts {where}"
        yield _finding("bad" if verdict["level"] == "page" else "warn", text)


def _quality(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for quality in status["quality"]:
        if quality["degraded"]:
            yield _finding("warn", f"predictions of {_model(quality)} are wrong more than they used to be")


def _problems(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for problem in status["problems"]:
        what = (
            f"feature {problem['feature']} of {problem['model']}" if problem["feature"] else problem["model"]
        )
        yield _finding("warn", f"{what}: {problem['problem'].replace('_', ' ')}: {problem['text']}")


def _blind(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    lost = status["not_seen"]
    for name, (one, many) in _LOSSES.items():
        recent = sum(loss["recent"] for loss in lost[name])
        if recent:
            # One connection that is refused is a server that restarts.
            level = "bad" if name == "upstream_connect_failures" and recent > 1 else "warn"
            yield _finding(level, _plural(recent, one, many))
    if blind := lost["blind_connections"]:
        yield _finding("warn", _plural(blind, *_BLIND))
    if failures := status["cost"]["otlp_export_failures"]:
        yield _finding("warn", _plural(failures, "OTLP export was not taken", "OTLP exports were not taken"))


def _idle(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if not status["traffic"]["requests_total"]:
        listen = status["listen"]
        yield _finding("info", f"no inference seen yet{f': send requests to {listen}' if listen else ''}")


def _model(found: Mapping[str, Any]) -> str:
    version = f" v{found['model_version']}" if found["model_version"] else ""
    return f"{found['model_name']}{version}"


def _plural(number: float, one: str, many: str) -> str:
    return f"{number:,.0f} {one if number == 1 else many}"
