"""What the configuration and the `OTEL_*` variables say about OTLP. Decides; does no I/O.

Variables follow the OpenTelemetry specification ("OpenTelemetry Environment Variable Specification" and
"OpenTelemetry Protocol Exporter"): a value that means nothing is reported and treated as not set, since
variables are often injected into every container of a pod. TLS files (`…_CERTIFICATE`, `…_CLIENT_KEY`,
`…_CLIENT_CERTIFICATE`, `…_INSECURE`) are read by OpenTelemetry's own exporter.

The trap: the specification gives timeouts in milliseconds; OpenTelemetry's Python exporter reads the same
variables as seconds. Here they are milliseconds.
"""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

GRPC, HTTP = "grpc", "http/protobuf"

# OpenTelemetry's defaults. A minute between exports still gives the shortest rule window five points.
DEFAULT_INTERVAL_SECONDS = 60.0
DEFAULT_TIMEOUT_SECONDS = 10.0
# Less than this between exports is a mistake of units, and would cost more than all the rest we do.
MIN_INTERVAL_SECONDS = 1.0

_GRPC_PORT = 4317
_METRICS_PATH = "/v1/metrics"
_COMPRESSIONS = {GRPC: ("none", "gzip"), HTTP: ("none", "gzip", "deflate")}

# Where the downward API's values are found: by the attribute's own name, or as people commonly call them.
_KUBERNETES = {
    "k8s.namespace.name": ("K8S_NAMESPACE_NAME", "POD_NAMESPACE"),
    "k8s.pod.name": ("K8S_POD_NAME", "POD_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
    "k8s.deployment.name": ("K8S_DEPLOYMENT_NAME",),
}


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where metrics go and how. `endpoint` is complete: for HTTP it is the URL that is posted to.

    `interval` and `timeout` are seconds. `problems` holds one sentence for each value that was ignored.
    """

    endpoint: str
    protocol: str = HTTP
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    compression: str = "none"
    interval: float = DEFAULT_INTERVAL_SECONDS
    delta: bool = False
    resource: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def destination(self) -> str:
        """The endpoint as people may read it: without user name and password."""
        return self.endpoint.rpartition("@")[2] if "@" in self.endpoint else self.endpoint


def otlp_settings(
    environ: Mapping[str, str],
    endpoint: str = "",
    *,
    protocol: str = "",
    headers: Mapping[str, str] | None = None,
    interval: float | None = None,
    version: str = "",
    instance: str = "",
) -> OtlpSettings | None:
    """The settings, or None when nothing is to be exported.

    Export is on when there is an endpoint: `endpoint` (from our configuration, a base address) or one of
    the variables; `OTEL_SDK_DISABLED=true` and an `OTEL_METRICS_EXPORTER` without `otlp` turn it off in
    any case. What our configuration gives wins over the variables. `instance` names this sidecar where
    Kubernetes does not; default: the host's name.
    """
    read = _Reader(environ)
    base = endpoint or read("OTEL_EXPORTER_OTLP_ENDPOINT")
    own = "" if endpoint else read("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    if not (base or own) or _turned_off(read):
        return None
    protocol = protocol or read.one_of("PROTOCOL", (GRPC, HTTP)) or _usual_protocol(own or base)
    return OtlpSettings(
        endpoint=own or (_with_path(base) if protocol == HTTP else base),
        protocol=protocol,
        headers={**read.pairs(read.otlp("HEADERS"), "HEADERS"), **(headers or {})},
        timeout=read.seconds(read.otlp("TIMEOUT"), "TIMEOUT", DEFAULT_TIMEOUT_SECONDS),
        compression=read.one_of("COMPRESSION", _COMPRESSIONS[protocol]) or "none",
        interval=max(interval or _interval(read), MIN_INTERVAL_SECONDS),
        delta=_delta(read),
        resource=resource_attributes(environ, version, instance),
        problems=tuple(read.problems),
    )


def resource_attributes(environ: Mapping[str, str], version: str = "", instance: str = "") -> dict[str, str]:
    """Who is speaking: service and, where the pod says so, Kubernetes.

    `OTEL_SERVICE_NAME` wins over `OTEL_RESOURCE_ATTRIBUTES`, which wins over what we know ourselves.
    """
    read = _Reader(environ)
    found = {name: next((read(v) for v in names if read(v)), "") for name, names in _KUBERNETES.items()}
    # <namespace>.<pod>.<container>, as the conventions for Kubernetes attributes advise.
    in_pod = [found[f"k8s.{part}.name"] for part in ("namespace", "pod", "container")]
    attributes = {
        "service.name": "inference-sidecar",
        "service.version": version,
        "service.instance.id": ".".join(filter(None, in_pod)) if in_pod[1] else instance or platform.node(),
        **found,
        **read.pairs(read("OTEL_RESOURCE_ATTRIBUTES"), "OTEL_RESOURCE_ATTRIBUTES"),
    }
    if name := read("OTEL_SERVICE_NAME"):
        attributes["service.name"] = name
    return {key: value for key, value in attributes.items() if value}


class _Reader:
    """Reads variables; an empty one is not set. Keeps a sentence for each value it could not use."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def __call__(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def otlp(self, name: str) -> str:
        """A variable for metrics, else the one for all signals."""
        return self(f"OTEL_EXPORTER_OTLP_METRICS_{name}") or self(f"OTEL_EXPORTER_OTLP_{name}")

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.otlp(name).lower()
        if value and value not in allowed:
            self.problems.append(f"OTEL_EXPORTER_OTLP_{name}: {value!r} is not one of {', '.join(allowed)}")
            return ""
        return value

    def seconds(self, value: str, name: str, default: float) -> float:
        """A number of milliseconds."""
        if not value:
            return default
        try:
            milliseconds = float(value)
        except ValueError:
            milliseconds = 0.0
        # Beyond a day is a typing error; it also keeps infinity and NaN out.
        if 0 < milliseconds <= 86_400_000:
            return milliseconds / 1000
        self.problems.append(f"{name}: {value!r} is not a number of milliseconds above 0")
        return default

    def pairs(self, value: str, name: str) -> dict[str, str]:
        """`key=value,key=value`, percent-encoded. Values may be secret: a problem names the variable only."""
        found = {}
        for item in filter(None, (item.strip() for item in value.split(","))):
            key, equals, text = item.partition("=")
            if not (equals and key.strip()):
                self.problems.append(f"{name}: expected key=value pairs separated by commas")
                continue
            found[unquote(key.strip())] = unquote(text.strip())
        return found


def _turned_off(read: Callable[[str], str]) -> bool:
    exporters = read("OTEL_METRICS_EXPORTER").lower()
    chosen = {name.strip() for name in exporters.split(",")}
    return read("OTEL_SDK_DISABLED").lower() == "true" or bool(exporters and "otlp" not in chosen)


def _usual_protocol(endpoint: str) -> str:
    """4317 is the port of gRPC; everything else is HTTP, the specification's default."""
    try:
        port = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port
    except ValueError:
        return HTTP
    return GRPC if port == _GRPC_PORT else HTTP


def _with_path(base: str) -> str:
    base = base.rstrip("/")
    return base if base.endswith(_METRICS_PATH) else base + _METRICS_PATH


def _interval(read: _Reader) -> float:
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    return read.seconds(read(name), name, DEFAULT_INTERVAL_SECONDS)


def _delta(read: _Reader) -> bool:
    """`lowmemory` asks for delta wherever we have a choice, so it is the same for us."""
    return read.one_of("TEMPORALITY_PREFERENCE", ("cumulative", "delta", "lowmemory")) in (
        "delta",
        "lowmemory",
    )
