"""Whether the monitor can be believed, and what it costs."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, About, Panel, Query, graph
from sidecar.generators.boards.queries import INSTALLATION, rate
from sidecar.generators.links import Links


def sidecar(links: Links) -> list[Panel]:
    """The panels of the row."""
    here = INSTALLATION
    lost = rate(
        catalog.TEE_DROPPED_BYTES, "instance", where='reason=~"observer_behind|observer_down"', selector=here
    )
    relayed = rate(catalog.RELAY_BYTES, "instance", selector=here)
    return [
        graph(
            About(
                "Traffic not measured",
                "Share of relayed bytes not copied to the observer. The traffic is not affected.",
                "percentunit",
                links.runbook("InferenceSidecarChunksDropped"),
            ),
            Query(f"{lost} / {relayed}", "{{instance}}"),
            width=8,
            steps=((None, GREEN), (0.01, AMBER)),
        ),
        graph(
            About(
                "Payloads not read",
                "Exchanges a second that were counted and timed but whose payload could not be read.",
                "reqps",
                links.runbook("InferenceSidecarUndecoded"),
            ),
            Query(rate(catalog.UNDECODED, "reason", selector=here), "{{reason}}"),
            width=8,
            stacked=True,
        ),
        graph(
            About(
                "Observer lag",
                "How old the traffic is when it is read.",
                "s",
                links.runbook("InferenceSidecarObserverLag"),
            ),
            Query(f"max by (instance) ({catalog.OBSERVER_LAG.name}{{{here}}})", "{{instance}}"),
            width=8,
            steps=((None, GREEN), (15, AMBER)),
        ),
        graph(
            About("Processor", "Cores used by all sidecars, by process.", "none"),
            Query(rate(catalog.CPU_SECONDS, "process", selector=here), "{{process}}"),
            width=8,
            stacked=True,
        ),
        graph(
            About("Memory", "Resident memory of the largest process of each kind.", "bytes"),
            Query(f"max by (process) ({catalog.MEMORY_BYTES.name}{{{here}}})", "{{process}}"),
            width=8,
        ),
        graph(
            About(
                "Restarts and refused connections",
                "Observers started again, and connections that found no model server.",
                "ops",
                links.runbook("InferenceUpstreamUnreachable"),
            ),
            Query(rate(catalog.OBSERVER_RESTARTS, "reason", selector=here), "observer restarted: {{reason}}"),
            Query(rate(catalog.UPSTREAM_CONNECT_FAILURES, "reason", selector=here), "upstream: {{reason}}"),
            width=8,
        ),
    ]
