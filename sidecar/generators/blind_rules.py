"""Alerts about the monitor itself and the server behind it: when silence does not mean health.

Each replica is judged on its own where its own numbers say so (`without` keeps whatever the scrape
calls it); a whole installation is judged where only all of them together mean something. The trap:
`up` does not exist for metrics that arrive over OTLP, so absence is read from `sidecar_build_info`.
"""

from sidecar import catalog
from sidecar.generators import words
from sidecar.generators.durations import Durations
from sidecar.generators.identity import INSTALLATION, by
from sidecar.generators.links import Links
from sidecar.generators.rule import Alert, Group, Severity
from sidecar.metric import Metric

# Traffic of less than this could be one idle keep-alive connection: no blindness to speak of.
MIN_BYTES_PER_SECOND = 100
# Losing more than one byte in a hundred begins to show in the numbers on the dashboard.
MAX_DROPPED_SHARE = "0.01"
# A few clients always send what is not JSON; one exchange in twenty is a protocol we do not read.
MAX_UNDECODED_SHARE = "0.05"
MIN_UNDECODED = 20
# Once is an accident, twice may be a rollout; three times in an hour is a crash loop.
MAX_RESTARTS_PER_HOUR = 3
# Behind by more than a scrape interval, every other number on the dashboard is old.
MAX_LAG_SECONDS = 15
# One client that tries again is three or four; this is more than one client, or one that insists.
MIN_REFUSED = 5

# Counted once a scrape: even where a scrape is every five minutes, half an hour has more.
MIN_MERGE_FAILURES = 3
# Three exports in a quarter of an hour: a collector that restarts misses one or two.
MIN_EXPORT_FAILURES = 3
# The kernel kills at 1; nine tenths leave time to look, and the observer sheds memory of its own before.
NEAR_LIMIT = "0.9"

_TICKET, _PAGE = Severity.TICKET, Severity.PAGE


def groups(durations: Durations, links: Links) -> list[Group]:
    """Absent, no data, drops, decode failures, restarts, lag; and the upstream out of reach."""
    rules = _Rules(durations, links)
    interval = durations.wait("30s")
    return [
        Group("inference-sidecar-absent", interval, _WHY_ABSENT, [rules.gone(), rules.absent()]),
        Group(
            "inference-sidecar-blind",
            interval,
            _WHY_BLIND,
            [
                rules.no_data(),
                rules.dropping(),
                rules.undecoded(),
                rules.restarting(),
                rules.lag(),
                rules.merge_failing(),
            ],
        ),
        Group(
            "inference-sidecar-resources",
            interval,
            _WHY_RESOURCES,
            [rules.otlp_failing(), rules.memory(), rules.server_memory()],
        ),
        Group(
            "inference-upstream",
            interval,
            _WHY_UPSTREAM,
            [rules.upstream_down(), rules.upstream_refusing()],
        ),
    ]


def _each_replica(function: str, metric: Metric, window: str, matchers: str = "") -> str:
    """The sum over the metric's own labels, so that what is left is what the scrape calls the replica."""
    return f"sum without ({', '.join(metric.labels)}) ({function}({metric.name}{matchers}[{window}]))"


class _Rules:
    def __init__(self, durations: Durations, links: Links) -> None:
        self._window = durations.window
        self._wait = durations.wait
        self._links = links

    def _alert(
        self, name: str, expr: str, severity: Severity, summary: str, text: str, wait: str, **labels: str
    ) -> Alert:
        links = self._links.annotations(name, model=False)
        return Alert(name, expr, severity, summary, text, links, wait=self._wait(wait), labels=labels)

    def gone(self) -> Alert:
        seen, now = catalog.BUILD_INFO.name, catalog.BUILD_INFO.name
        return self._alert(
            "InferenceSidecarAbsent",
            f"count {by()} (last_over_time({seen}[{self._window('6h')}]))\nunless\ncount {by()} ({now})",
            _PAGE,
            f"{words.JOB}: every sidecar has disappeared, and its model servers perhaps with them",
            f"{words.VALUE} sidecars of {words.JOB} {words.NAMESPACE} were seen in the last "
            f"{self._window('6h')}, none is now. Nothing is measured, so no other alert can fire for them.",
            "10m",
        )

    def absent(self) -> Alert:
        return self._alert(
            "InferenceSidecarAbsent",
            f"absent({catalog.BUILD_INFO.name})",
            _TICKET,
            "These rules are loaded, but no inference sidecar is scraped",
            "There is no sidecar_build_info at all: nothing is installed, or the scrape configuration "
            "does not find it.",
            "15m",
        )

    def no_data(self) -> Alert:
        window = self._window("15m")
        traffic = _each_replica("rate", catalog.RELAY_BYTES, window)
        read = _each_replica("rate", catalog.REQUESTS, window, '{outcome!="unobserved"}')
        other = _each_replica("rate", catalog.OTHER_EXCHANGES, window)
        return self._alert(
            "InferenceSidecarNoData",
            f"{traffic} > {MIN_BYTES_PER_SECOND}\nunless {read} > 0\nunless {other} > 0",
            _TICKET,
            f"{words.JOB}: traffic is relayed, but nothing is read from it",
            f"{words.REPLICA} relays {words.BYTES}/s and has recognised no exchange in the last {window}.",
            "15m",
        )

    def dropping(self) -> Alert:
        window = self._window("10m")
        lost = '{reason=~"observer_behind|observer_down"}'
        dropped = _each_replica("rate", catalog.TEE_DROPPED_BYTES, window, lost)
        relayed = _each_replica("rate", catalog.RELAY_BYTES, window)
        return self._alert(
            "InferenceSidecarChunksDropped",
            f"{dropped}\n/\n{relayed}\n> {MAX_DROPPED_SHARE}",
            _TICKET,
            f"{words.JOB}: a part of the traffic goes unmeasured",
            f"{words.REPLICA} could not copy {words.SHARE} of the relayed bytes to its "
            f"observer in the last {window}. The traffic itself is not affected.",
            "10m",
        )

    def undecoded(self) -> Alert:
        window, metric = self._window("30m"), catalog.UNDECODED.name
        return self._alert(
            "InferenceSidecarUndecoded",
            f"sum {by('reason')} (rate({metric}[{window}]))\n"
            f"/ on ({', '.join(INSTALLATION)}) group_left\n"
            f"sum {by()} (rate({catalog.REQUESTS.name}[{window}]))\n> {MAX_UNDECODED_SHARE}\n"
            f"and sum {by('reason')} (increase({metric}[{window}])) >= {MIN_UNDECODED}",
            _TICKET,
            f"{words.JOB}: payloads cannot be read ({words.REASON})",
            f"{words.SHARE} of the inference exchanges of {words.JOB} {words.NAMESPACE} "
            f"in the last {window} were counted and timed, but their features and predictions could not "
            f"be read: {words.REASON}.",
            "15m",
        )

    def restarting(self) -> Alert:
        window = self._window("1h")
        restarts = _each_replica("increase", catalog.OBSERVER_RESTARTS, window)
        return self._alert(
            "InferenceSidecarObserverRestarting",
            f"{restarts} >= {MAX_RESTARTS_PER_HOUR}",
            _TICKET,
            f"{words.JOB}: an observer keeps dying",
            f"The observer of {words.REPLICA} was started again {words.VALUE} times in the last "
            f"{window}. Traffic is not affected; what passes meanwhile is not measured.",
            "1m",
        )

    def lag(self) -> Alert:
        return self._alert(
            "InferenceSidecarObserverLag",
            f"{catalog.OBSERVER_LAG.name} > {MAX_LAG_SECONDS}",
            _TICKET,
            f"{words.JOB}: an observer reads the traffic late",
            f"The observer of {words.REPLICA} is {words.SECONDS} behind the traffic.",
            "5m",
        )

    def otlp_failing(self) -> Alert:
        window, failures = self._window("15m"), catalog.OTLP_EXPORT_FAILURES.name
        short = self._window("5m")
        return self._alert(
            "InferenceSidecarOtlpFailing",
            f"increase({failures}[{window}]) >= {MIN_EXPORT_FAILURES}\nand increase({failures}[{short}]) > 0",
            _TICKET,
            f"{words.JOB}: a collector does not take what is exported over OTLP",
            f"{words.REPLICA} failed to export {words.SIGNAL} {words.VALUE} times in the last {window}. "
            "What was not taken is lost there; a scrape still has it.",
            "5m",
        )

    def merge_failing(self) -> Alert:
        long, short = self._window("30m"), self._window("5m")
        failures = f'{catalog.MERGE_FAILURES.name}{{reason!="duplicate"}}'
        return self._alert(
            "InferenceSidecarMergeFailing",
            f"increase({failures}[{long}]) >= {MIN_MERGE_FAILURES}\nand increase({failures}[{short}]) > 0",
            _TICKET,
            f"{words.JOB}: the model server's own metrics are not on /metrics ({words.REASON})",
            f"{words.REPLICA} has left out metrics of its model server, all or some, again and again for "
            f"{long}: {words.REASON}. What the sidecar measures itself is there.",
            # A model server that restarts is away for minutes; that is not what this is about.
            "20m",
        )

    def memory(self) -> Alert:
        used, limit = catalog.MEMORY_BYTES, catalog.MEMORY_LIMIT_BYTES.name
        return self._alert(
            "InferenceMemoryNearLimit",
            f"sum without ({', '.join(used.labels)}) ({used.name})\n/\n{limit}\n> {NEAR_LIMIT}",
            _TICKET,
            f"{words.JOB}: a sidecar is close to its memory limit",
            f"The processes of the sidecar {words.REPLICA} use {words.SHARE} of the memory they may use.",
            "10m",
            of="sidecar",
        )

    def server_memory(self) -> Alert:
        """Of every container in a pod that has a sidecar, by what Kubernetes says of it, where it does."""
        container = "(cluster, namespace, pod, container)"
        used = f'sum by {container} (container_memory_working_set_bytes{{container!=""}})'
        limit = f'sum by {container} (kube_pod_container_resource_limits{{resource="memory"}})'
        ours = f"group by (cluster, namespace, pod, job) ({catalog.BUILD_INFO.name})"
        return self._alert(
            "InferenceMemoryNearLimit",
            f"{used}\n/\n{limit}\n* on (cluster, namespace, pod) group_left (job) {ours}\n> {NEAR_LIMIT}",
            _TICKET,
            f"{words.POD}: a container beside the sidecar is close to its memory limit",
            f"The container {words.CONTAINER} of {words.POD} uses {words.SHARE} of the memory it may use. It "
            "is killed when it needs more.",
            "10m",
            of="container",
        )

    def upstream_down(self) -> Alert:
        window = self._window("5m")
        refused = f'{catalog.REQUESTS.name}{{outcome="upstream_unreachable"}}[{window}]'
        answered = f'{catalog.REQUESTS.name}{{outcome="ok"}}[{window}]'
        return self._alert(
            "InferenceUpstreamUnreachable",
            f"sum {by()} (increase({refused})) >= {MIN_REFUSED}\nunless sum {by()} (rate({answered})) > 0",
            _PAGE,
            f"{words.JOB}: no model server can be reached",
            f"{words.VALUE} inference requests to {words.JOB} {words.NAMESPACE} found no model server "
            f"in the last {window}, and not one succeeded.",
            "2m",
        )

    def upstream_refusing(self) -> Alert:
        window = self._window("5m")
        failures = _each_replica("rate", catalog.UPSTREAM_CONNECT_FAILURES, window)
        return self._alert(
            "InferenceUpstreamUnreachable",
            f"{failures} > 0",
            _TICKET,
            f"{words.JOB}: a sidecar cannot reach its model server",
            f"{words.REPLICA} fails to connect to its model server, {words.VALUE} times a second. "
            "Other replicas may still answer.",
            "15m",
        )


_WHY_ABSENT = """
Without a sidecar there are no events, and without events no objective can burn.
"""
_WHY_BLIND = """
The sidecar is there and does not see. It never harms the traffic, so this waits for the morning.
"""
_WHY_RESOURCES = """
What runs short before it breaks.
"""
_WHY_UPSTREAM = """
The model server itself: the cause behind most of what the objectives show at the same time.
"""
