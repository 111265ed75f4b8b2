"""What observing costs and how well it is done: for whoever runs the sidecars, not the models."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog
from sidecar.generators.boards import sidecar
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import AMBER, GREEN, PLAIN, About, Panel, Query, graph, number
from sidecar.generators.boards.queries import INSTALLATION, busy, gauge, or_none, quantile, rate
from sidecar.generators.boards.tables import listing
from sidecar.generators.links import COST_UID, Links

_ABOUT = "The sidecars themselves: processor, memory, loop lag, what was not seen or not read."
_HERE = INSTALLATION


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    rows = {
        "Cost": [*_numbers(), sidecar.processor(), sidecar.memory(), _per_thousand()],
        "Harm": [_loop_lag(), _connections(), _bytes()],
        "Sight": [*sidecar.believed(links), _dropped(), _unobserved(), _other()],
        "Trouble": [sidecar.trouble(links), _failures(), _overflow()],
        "Builds": [_builds()],
    }
    return many_models(frame(COST_UID, "sidecars", _ABOUT, links, rows))


def _numbers() -> list[Panel]:
    """The strip."""
    build = f"count({catalog.BUILD_INFO.name}{{{_HERE}}})"
    cores = rate(catalog.CPU_SECONDS, selector=_HERE)
    memory = gauge(catalog.MEMORY_BYTES, how="sum", selector=_HERE)
    return [
        number(About("Sidecars", "Sidecars that are scraped.", "none"), Query(build, "sidecars"),
               width=6, steps=PLAIN, otherwise="none"),
        number(About("Cores", "Processor that all sidecars use together.", "none"), Query(cores, "cores"),
               width=6, steps=PLAIN, otherwise="none"),
        number(About("Memory of all", "Resident memory of all processes of all sidecars.", "bytes"),
               Query(memory, "memory"), width=6, steps=PLAIN, otherwise="none"),
        number(About("Loop lag p99", "How late the relays' own loops run.", "s"),
               Query(quantile("0.99", catalog.RELAY_LOOP_LAG, selector=_HERE).expr, "lag"), width=6,
               steps=((None, GREEN), (0.01, AMBER)), otherwise="no sample"),
    ]  # fmt: skip


def _per_thousand() -> Panel:
    about = About("Cores per 1000 requests a second", "What a request costs; falls as traffic grows.", "none")
    cores = rate(catalog.CPU_SECONDS, "process", selector=_HERE)
    requests = rate(catalog.REQUESTS)
    return graph(
        about, Query(f"1000 * {cores} / scalar({requests} > 0)", "{{process}}"), width=8, stacked=True
    )


def _loop_lag() -> Panel:
    about = About(
        "Lag of the relay's loop",
        "How late the process in the path of traffic runs: the harm we could do.",
        "s",
    )
    lag = catalog.RELAY_LOOP_LAG
    return graph(about, *(quantile(q, lag, selector=_HERE) for q in ("0.5", "0.99", "0.999")), width=8)


def _connections() -> Panel:
    about = About("Connections", "Open ones; blind ones are relayed and cannot be read.", "none")
    query = gauge(catalog.CONNECTIONS, "state", "protocol", how="sum", selector=_HERE)
    return graph(about, Query(f"{query} > 0", "{{state}} {{protocol}}"), width=8, stacked=True)


def _bytes() -> Panel:
    about = About("Relayed", "Bytes a second, by who sent them.", "Bps")
    return graph(
        about, Query(rate(catalog.RELAY_BYTES, "direction", selector=_HERE), "{{direction}}"), width=8
    )


def _dropped() -> Panel:
    about = About(
        "Not copied to the observer",
        "Bytes a second by reason; `skipped` are those nobody wanted, such as the rest of large bodies.",
        "Bps",
    )
    query = rate(catalog.TEE_DROPPED_BYTES, "reason", selector=_HERE)
    return graph(about, Query(query, "{{reason}}"), width=8, stacked=True)


def _unobserved() -> Panel:
    about = About("Exchanges not followed to their end", "A second: the tee lost a part of each.", "reqps")
    return graph(about, Query(rate(catalog.UNOBSERVED, "instance", selector=_HERE), "{{instance}}"), width=8)


def _other() -> Panel:
    about = About(
        "Exchanges that are not inference", "A second, by kind: probes, metadata and the like.", "reqps"
    )
    query = rate(catalog.OTHER_EXCHANGES, "kind", selector=_HERE)
    return graph(about, Query(busy(query, "kind"), "{{kind}}"), width=8, stacked=True)


def _failures() -> Panel:
    about = About(
        "Not delivered, not saved", "Exports to the collector and saves of state that failed.", "ops"
    )
    exports = rate(catalog.OTLP_EXPORT_FAILURES, "signal", selector=_HERE)
    saves = rate(catalog.STATE_SAVE_FAILURES, "reason", selector=_HERE)
    saving = Query(busy(saves, "reason"), "state: {{reason}}")
    return graph(about, Query(or_none(exports, "signal"), "export: {{signal}}"), saving, width=8)


def _overflow() -> Panel:
    about = About(
        "Observations without a series of their own", "A second, by metric: a family is full.", "ops"
    )
    overflow = or_none(rate(catalog.SERIES_OVERFLOW, "metric", selector=_HERE), "metric")
    return graph(about, Query(overflow, "{{metric}}"), width=8)


def _builds() -> Panel:
    about = About("Versions of the sidecar", "How many run each version, on which Python.", "none")
    query = Query(gauge(catalog.BUILD_INFO, "version", "python", how="count", selector=_HERE))
    return listing(about, query, width=24, hidden=(), otherwise="none", value="sidecars", height=6)
