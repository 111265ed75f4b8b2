"""Whether the monitor can be believed, and what it costs."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, About, Panel, Query, graph
from sidecar.generators.boards.queries import INSTALLATION, busy, gauge, rate
from sidecar.generators.links import Links

_LOST = 'reason=~"observer_behind|observer_down"'


def sidecar(links: Links) -> list[Panel]:
    """The panels of the row."""
    return [*believed(links), processor(), memory(), trouble(links)]


def believed(links: Links) -> list[Panel]:
    """Whether everything was seen and read."""
    return [_not_measured(links), _not_read(links), _lag(links)]


def _not_measured(links: Links) -> Panel:
    about = About(
        "Traffic not measured",
        "Share of relayed bytes not copied to the observer. The traffic is not affected.",
        "percentunit",
        links.runbook("InferenceSidecarChunksDropped"),
    )
    lost = rate(catalog.TEE_DROPPED_BYTES, "instance", where=_LOST, selector=INSTALLATION)
    relayed = rate(catalog.RELAY_BYTES, "instance", selector=INSTALLATION)
    steps = ((None, GREEN), (0.01, AMBER))
    return graph(about, Query(f"{lost} / {relayed}", "{{instance}}"), width=8, steps=steps)


def _not_read(links: Links) -> Panel:
    about = About(
        "Payloads not read",
        "Exchanges a second that were counted and timed but whose payload could not be read.",
        "reqps",
        links.runbook("InferenceSidecarUndecoded"),
    )
    query = Query(busy(rate(catalog.UNDECODED, "reason", selector=INSTALLATION), "reason"), "{{reason}}")
    return graph(about, query, width=8, stacked=True)


def _lag(links: Links) -> Panel:
    about = About(
        "Observer lag",
        "How old the traffic is when it is read.",
        "s",
        links.runbook("InferenceSidecarObserverLag"),
    )
    query = Query(gauge(catalog.OBSERVER_LAG, "instance", selector=INSTALLATION), "{{instance}}")
    return graph(about, query, width=8, steps=((None, GREEN), (15, AMBER)))


def processor() -> Panel:
    """Processor time by process."""
    about = About("Processor", "Cores used by all sidecars, by process.", "none")
    query = Query(rate(catalog.CPU_SECONDS, "process", selector=INSTALLATION), "{{process}}")
    return graph(about, query, width=8, stacked=True)


def memory() -> Panel:
    """Memory by process."""
    about = About("Memory", "Resident memory of the largest process of each kind.", "bytes")
    query = Query(gauge(catalog.MEMORY_BYTES, "process", selector=INSTALLATION), "{{process}}")
    return graph(about, query, width=8)


def trouble(links: Links) -> Panel:
    """What was started again, and who was not there."""
    about = About(
        "Restarts and refused connections",
        "Observers started again, and connections that found no model server.",
        "ops",
        links.runbook("InferenceUpstreamUnreachable"),
    )
    restarts = rate(catalog.OBSERVER_RESTARTS, "reason", selector=INSTALLATION)
    refused = rate(catalog.UPSTREAM_CONNECT_FAILURES, "reason", selector=INSTALLATION)
    return graph(
        about,
        Query(busy(restarts, "reason"), "observer restarted: {{reason}}"),
        Query(busy(refused, "reason"), "upstream: {{reason}}"),
        width=8,
    )
