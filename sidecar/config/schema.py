"""Every setting there is: its key, its kind, its default and the reason for the default.

Nothing here reads files or variables: `config.load` does.

Costs some 20 MB to import (pydantic): the relay and the supervisor never do.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, PlainValidator, PrivateAttr

from sidecar.address import Address, Route
from sidecar.config import judged
from sidecar.config.policy import JudgedSection, PayloadSection, PolicySection
from sidecar.config.section import Conflict, Section
from sidecar.config.telemetry import OtlpSection
from sidecar.config.values import (
    AS_DURATION,
    AS_SIZE,
    AddressValue,
    BaseUrl,
    Burn,
    FilePath,
    Flag,
    Name,
    Runbook,
    duration,
    one_of,
    size,
    text,
    url,
    whole,
)
from sidecar.inference import ModelRef
from sidecar.policy import ModelPolicy, PayloadRule, Policies
from sidecar.slo import DEFAULT_OBJECTIVES


class ModelSection(Section):
    """The model behind the sidecar, for what the traffic does not say."""

    name: Name | None = Field(
        default=None, description="Name for exchanges that do not say which model they ask."
    )
    version: Name | None = Field(default=None, description="Version for exchanges that do not say.")
    owner: Name | None = Field(default=None, description="Who is paged: `owner` on alerts.")
    runbook: Runbook | None = Field(
        default=None,
        description="Where the on-call engineer reads on: `model_runbook_url` on alerts, beside "
        "the page of the alert itself.",
    )


class RouteSection(Section):
    """One pair of addresses."""

    listen: AddressValue = Field(description="Where clients connect.", examples=["0.0.0.0:18080"])
    upstream: AddressValue = Field(description="Where the model server listens.", examples=["127.0.0.1:8000"])


class TlsSection(Section):
    """TLS towards clients, when it is to end here: passed through, it is relayed but cannot be read."""

    cert: FilePath = Field(description="Certificate chain, PEM; loaded again when the file changes.")
    key: FilePath = Field(description="Its private key, PEM.")
    client_ca: FilePath | None = Field(
        default=None,
        description="Ask clients for a certificate signed by this; default: do not ask.",
    )


class UpstreamTlsSection(Section):
    """TLS towards the model server."""

    ca: FilePath | None = Field(
        default=None, description="What signs its certificate; default: the system's."
    )
    server_name: Name | None = Field(
        default=None,
        description="The name on its certificate; default: the host of `upstream`.",
    )
    cert: FilePath | None = Field(default=None, description="Our certificate, if it asks for one.")
    key: FilePath | None = Field(default=None, description="The private key of `cert`.")
    verify: Flag = Field(default=True, description="false: trust any certificate; for tests, not for a pod.")
    alpn: Annotated[str, PlainValidator(one_of("h2", "http/1.1"))] | None = Field(
        default=None,
        description="What to ask for when the client agreed on nothing: `h2` for gRPC without TLS in front.",
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Half of a key pair."""
        if (self.cert is None) != (self.key is None):
            yield ("cert" if self.cert is None else "key"), "missing; a certificate and its key go together"


class IngestSection(Section):
    """Exchanges that do not come through the relay. Each address is off unless set."""

    cloudevents: AddressValue | None = Field(
        default=None,
        description="Where KServe's and Seldon's request loggers post to, such as `0.0.0.0:18090`.",
        examples=["0.0.0.0:18090"],
    )
    ext_proc: AddressValue | None = Field(
        default=None,
        description="Where Envoy's external processing connects to, such as `0.0.0.0:18091`.",
        examples=["0.0.0.0:18091"],
    )


class StateSection(Section):
    """Where what the observer knows is kept across restarts: counters, learnt references, drift evidence."""

    dir: Annotated[str, PlainValidator(text("the path of a directory"))] | None = Field(
        default=None,
        description="A directory of this sidecar's own, on a volume that outlives the container; about 1 MB "
        "for a model with 30 features. Default: nothing is kept, and counters start from zero.",
        examples=["/var/lib/sidecar"],
    )


class LabelsSection(Section):
    """What is remembered until labels come: a number for each id and each prediction, never the id itself."""

    keep: Annotated[float, PlainValidator(duration("1s", "366d")), AS_DURATION] = Field(
        default=7 * 86_400.0,
        description="How long a prediction waits for its label: a week of delay is usual.",
    )
    memory: Annotated[int, PlainValidator(size("64KiB", "4GiB")), AS_SIZE] = Field(
        default=16 * 1024**2,
        description="What waiting predictions may take, the oldest leave first. A request costs 26 bytes and "
        "9 for each row: this holds 470,000 requests of one row, two hours at 60 a second.",
    )
    wait: Annotated[float, PlainValidator(duration("0s", "1h")), AS_DURATION] = Field(
        default=60.0,
        description="How long a label waits for a prediction that is not known yet: it may overtake it.",
    )
    remember: Flag = Field(
        default=True,
        description="false: nothing is remembered; only labels that bring their prediction count.",
    )


class MetricsSection(Section):
    """What else is shown on `/metrics`."""

    merge: Annotated[str, PlainValidator(url("http://127.0.0.1:8002/metrics"))] | None = Field(
        default=None,
        description="The model server's own metrics, fetched at each scrape (1 s, 4 MiB at most) and put "
        "behind ours. Then `process_*` are the server's.",
        examples=["http://127.0.0.1:8002/metrics"],
    )


class PagingSection(Section):
    """When alerts page, and where they point. Read by `sidecar rules`, not by a running sidecar."""

    min_burn: Burn | None = Field(
        default=None,
        description="A steady burn of an error budget at this rate pages, over 6h and 30m. Default 6: 5 % of "
        "the budget in six hours. With 4 it is 3.3 %.",
        examples=["4"],
    )
    grafana_url: BaseUrl | None = Field(
        default=None,
        description="Your Grafana, for the link from an alert to its dashboard (`dashboard_url`). Default: "
        "alerts carry the path only, since nobody else knows where your Grafana is.",
        examples=["https://grafana.example.org"],
    )
    runbook_url: BaseUrl | None = Field(
        default=None,
        description="Where your copy of the runbooks is, a page `<alert>.md` each. Default: this "
        "project's own.",
        examples=["https://wiki.example.org/runbooks"],
    )


class DrainSection(Section):
    """How the sidecar leaves."""

    grace: Annotated[float, PlainValidator(duration("0s", "1h")), AS_DURATION] = Field(
        default=5.0,
        description="After SIGTERM, keep accepting this long: load balancers need it to look elsewhere.",
    )
    deadline: Annotated[float, PlainValidator(duration("0s", "1h")), AS_DURATION] = Field(
        default=25.0,
        description="After SIGTERM, cut what is still open: just below the 30s of Kubernetes.",
    )

    def conflicts(self) -> Iterator[Conflict]:
        """A deadline before the grace is over."""
        if self.deadline < self.grace:
            yield (
                "deadline",
                f"{self.deadline:g}s is before grace ({self.grace:g}s) is over; give more",
            )


class Settings(JudgedSection):
    """Everything. What judges traffic holds for every model when it stands at the top."""

    listen: AddressValue = Field(
        default=Address("0.0.0.0", 18080),  # noqa: S104 - clients of a pod come from outside it
        description="Where clients connect. All interfaces: clients come from outside the pod.",
    )
    upstream: AddressValue | None = Field(
        default=None,
        description="The model server: host:port or unix:/path.",
    )
    routes: list[RouteSection] = Field(
        default=[],
        description="Several pairs, instead of `listen` and `upstream`.",
    )
    admin: AddressValue = Field(
        default=Address("0.0.0.0", 19464),  # noqa: S104 - Prometheus and the kubelet come from outside the pod
        description="Probes and metrics. Not 9464: the model server may export there.",
    )
    model: ModelSection = Field(default=ModelSection(), description="For what the traffic does not say.")
    models: dict[str, PolicySection] = Field(
        default={},
        description='Per model, by name; `"*"` for the others.',
    )
    otlp: OtlpSection = Field(default=OtlpSection(), description="Push to an OpenTelemetry collector.")
    ingest: IngestSection = Field(
        default=IngestSection(), description="Exchanges that do not come through the relay."
    )
    redirect: Flag = Field(
        default=False,
        description="Instead of `upstream`: relay to where iptables REDIRECT took each connection from.",
    )
    tls: TlsSection | None = Field(default=None, description="TLS towards clients; default: none.")
    upstream_tls: UpstreamTlsSection | None = Field(
        default=None,
        description="TLS towards the model server; default: none.",
    )
    labels: LabelsSection = Field(
        default=LabelsSection(), description="What is remembered until labels come."
    )
    admin_token_file: FilePath | None = Field(
        default=None,
        description="A file with the bearer token that lets clients of other hosts post labels. Default: "
        "only clients on this host may.",
    )
    metrics: MetricsSection = Field(default=MetricsSection(), description="What else is shown on `/metrics`.")
    paging: PagingSection = Field(
        default=PagingSection(), description="When burning budgets page, and links."
    )
    drain: DrainSection = Field(default=DrainSection(), description="How the sidecar leaves.")
    state: StateSection = Field(default=StateSection(), description="What survives a restart, and where.")
    connect_timeout: Annotated[float, PlainValidator(duration("10ms", "5m")), AS_DURATION] = Field(
        default=10.0,
        description="For the model server to accept a connection; then the client gets a 502. "
        "Longer than three lost SYN packets (1+2+4 s).",
    )
    workers: Annotated[int, PlainValidator(whole(1, 64, "processes"))] = Field(
        default=1,
        description="Relay processes. One carries some 30,000 requests a second.",
    )
    _warnings: tuple[str, ...] = PrivateAttr(())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what was ignored on purpose, such as unknown SIDECAR_* variables."""
        return self._warnings

    def resolved_routes(self) -> list[Route]:
        """Every pair to relay; empty when no upstream was given."""
        if self.routes:
            return [Route(route.listen, route.upstream) for route in self.routes]
        if self.upstream is None and not self.redirect:
            return []
        return [Route(self.listen, None if self.redirect else self.upstream)]

    def conflicts(self) -> Iterator[Conflict]:
        """A payload of one model that does not say which requests are that model's; and see `judged`."""
        for name, model in self.models.items():
            if name != "*" and model.payload != PayloadSection() and not model.payload.paths:
                yield (
                    ("models", name, "payload", "paths"),
                    "missing; say which requests are this model's, such as [/score]",
                )
        yield from judged.conflicts(self, self.models, self.policies())

    def payload_rules(self) -> tuple[PayloadRule, ...]:
        """How to read JSON of no known protocol: the models' own rules first, then that of all others."""
        nothing, default = PayloadRule(), self.models.get("*", PolicySection()).payload
        general = default.rule(self.payload.rule(nothing))
        models = [(name, m.payload) for name, m in self.models.items() if name != "*" and m.payload.paths]
        rules = [payload.rule(general, name) for name, payload in models]
        return (*rules, *([general] if general != nothing else []))

    def policies(self) -> Policies:
        """What the operator wants of each model."""
        general = self.policy(ModelPolicy(DEFAULT_OBJECTIVES), self.model.owner, self.model.runbook)
        default = self.models.get("*", PolicySection()).applied(general)
        return Policies(
            default=default,
            models={name: model.applied(default) for name, model in self.models.items() if name != "*"},
            model=ModelRef(self.model.name or "", self.model.version or ""),
            page_burn=self.paging.min_burn,
        )
