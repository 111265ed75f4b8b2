"""What the configuration and the `OTEL_*` variables say about OTLP, for one signal. Decides; does no I/O.

Variables follow the OpenTelemetry specification ("OpenTelemetry Environment Variable Specification" and
"OpenTelemetry Protocol Exporter"). The trap: an endpoint for one signal is taken as it is, the one for all
signals gets the signal's path.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sidecar.exporters.otlp_resource import resource_attributes
from sidecar.exporters.otlp_variables import Variables, turned_off

GRPC, HTTP = "grpc", "http/protobuf"
METRICS, TRACES, LOGS = "metrics", "traces", "logs"
SIGNALS = (METRICS, TRACES, LOGS)

# OpenTelemetry's defaults. A minute between exports still gives the shortest rule window five points.
DEFAULT_INTERVAL_SECONDS = 60.0
DEFAULT_TIMEOUT_SECONDS = 10.0
# Less than this between exports is a mistake of units, and would cost more than all the rest we do.
MIN_INTERVAL_SECONDS = 1.0

_GRPC_PORT = 4317
_COMPRESSIONS = {GRPC: ("none", "gzip"), HTTP: ("none", "gzip", "deflate")}
_EXPLICIT, _EXPONENTIAL = "explicit_bucket_histogram", "base2_exponential_bucket_histogram"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files, "" for none: what signs the collector's certificate, our own certificate and its key.

    `insecure`: speak plainly over gRPC where the endpoint has no scheme that says.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where one signal goes and how. `endpoint` is complete: for HTTP it is the URL that is posted to.

    `interval` and `timeout` are seconds. `problems` holds one sentence for each value that was ignored.
    """

    endpoint: str
    protocol: str = HTTP
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    compression: str = "none"
    interval: float = DEFAULT_INTERVAL_SECONDS
    delta: bool = False
    exponential: bool = False
    resource: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    signal: str = METRICS
    tls: Tls = Tls()

    @property
    def destination(self) -> str:
        """The endpoint as people may read it: without user name and password."""
        return self.endpoint.rpartition("@")[2] if "@" in self.endpoint else self.endpoint


def otlp_settings(
    environ: Mapping[str, str],
    endpoint: str = "",
    *,
    signal: str = METRICS,
    protocol: str = "",
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    compression: str = "",
    interval: float | None = None,
    version: str = "",
    instance: str = "",
) -> OtlpSettings | None:
    """The settings of one signal, or None when nothing of it is to be exported.

    Export is on when there is an endpoint: `endpoint` (from our configuration, a base address) or one of
    the variables; `OTEL_SDK_DISABLED=true` and an `OTEL_METRICS_EXPORTER` (or that of the signal) without
    `otlp` turn it off in any case. What our configuration gives wins over the variables. `instance` names
    this sidecar where Kubernetes does not; default: the host's name.
    """
    read = Variables(environ, signal)
    base = endpoint or read("OTEL_EXPORTER_OTLP_ENDPOINT")
    own = "" if endpoint else read(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if not (base or own) or turned_off(read, signal):
        return None
    protocol = protocol or read.one_of("PROTOCOL", (GRPC, HTTP)) or _usual_protocol(own or base)
    return OtlpSettings(
        endpoint=own or (_with_path(base, f"/v1/{signal}") if protocol == HTTP else base),
        protocol=protocol,
        headers={**read.pairs(read.otlp("HEADERS"), "HEADERS"), **(headers or {})},
        timeout=timeout or read.seconds(read.otlp("TIMEOUT"), "TIMEOUT", DEFAULT_TIMEOUT_SECONDS),
        compression=_compression(read, compression, protocol),
        interval=max(interval or _interval(read), MIN_INTERVAL_SECONDS),
        delta=_delta(read),
        exponential=_exponential(read),
        resource=resource_attributes(environ, version, instance),
        problems=tuple(read.problems),
        signal=signal,
        tls=_tls(read),
    )


def _compression(read: Variables, configured: str, protocol: str) -> str:
    allowed = _COMPRESSIONS[protocol]
    if configured in allowed:
        return configured
    if configured:
        # The protocol follows from the port or from a variable, so the configuration alone was no mistake.
        read.problems.append(f"otlp.compression: {configured} is not one of {', '.join(allowed)}")
    return read.one_of("COMPRESSION", allowed) or "none"


def _tls(read: Variables) -> Tls:
    return Tls(
        ca=read.otlp("CERTIFICATE"),
        certificate=read.otlp("CLIENT_CERTIFICATE"),
        key=read.otlp("CLIENT_KEY"),
        insecure=read.otlp("INSECURE").lower() == "true",
    )


def _usual_protocol(endpoint: str) -> str:
    """4317 is the port of gRPC; everything else is HTTP, the specification's default."""
    try:
        port = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port
    except ValueError:
        return HTTP
    return GRPC if port == _GRPC_PORT else HTTP


def _with_path(base: str, path: str) -> str:
    base = base.rstrip("/")
    # An address copied with the path of one signal is the address of all of them.
    for signal in SIGNALS:
        base = base.removesuffix(f"/v1/{signal}")
    return base + path


def _interval(read: Variables) -> float:
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    return read.seconds(read(name), name, DEFAULT_INTERVAL_SECONDS)


def _delta(read: Variables) -> bool:
    """`lowmemory` asks for delta wherever we have a choice, so it is the same for us."""
    return read.one_of("TEMPORALITY_PREFERENCE", ("cumulative", "delta", "lowmemory")) in (
        "delta",
        "lowmemory",
    )


def _exponential(read: Variables) -> bool:
    return read.one_of("DEFAULT_HISTOGRAM_AGGREGATION", (_EXPLICIT, _EXPONENTIAL)) == _EXPONENTIAL
