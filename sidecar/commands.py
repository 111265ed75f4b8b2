"""What each command does: read the settings, call the part that does the work, say what came of it.

What is heavy is imported inside the command that needs it.
"""

import argparse
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar import __version__
from sidecar.address import Address
from sidecar.errors import UsageError, tell

if TYPE_CHECKING:
    from sidecar.config import Settings
    from sidecar.generators.links import Links
    from sidecar.supervisor.plan import Plan

# Flags that are settings, by the key they set.
_FLAGS = ("upstream", "redirect", "listen", "admin", "reference", "workers")


def run(chosen: argparse.Namespace) -> int:
    """`sidecar run`: relay and observer together."""
    settings = _settings(chosen, upstream=True, references=True)
    from sidecar import app

    if not chosen.print_plan:  # which a running supervisor asks for, whose observer has these addresses
        app.try_addresses(settings)
    return _supervise(chosen, app.run(settings))


def relay(chosen: argparse.Namespace) -> int:
    """`sidecar relay`: needs no reference, so a missing one is the observer's problem."""
    settings = _settings(chosen, upstream=True)
    from sidecar import app

    return _supervise(chosen, app.relay(settings, _tee(chosen)))


def _supervise(chosen: argparse.Namespace, plan: "Plan") -> int:
    """Become the supervisor of `plan`; with --print-plan, which a running supervisor uses, only tell it."""
    from sidecar import app

    if chosen.print_plan:
        print(plan.to_json())
        return 0
    return app.become_supervisor(plan)


def observe(chosen: argparse.Namespace) -> int:
    """`sidecar observe`: needs no upstream."""
    settings = _settings(chosen, references=True)
    from sidecar import app, logs

    logs.configure("observer")
    return app.observe(settings, _tee(chosen), lambda: _settings(chosen, references=True))


def check(chosen: argparse.Namespace) -> int:
    """`sidecar check`: every problem, or one line about what would run."""
    settings = _settings(chosen, references=True)
    print(f"{_config_path(chosen) or 'the configuration'} is fine: {_summary(settings)}")
    return 0


def version(chosen: argparse.Namespace) -> int:
    """`sidecar version`."""
    print(f"sidecar {__version__} (Python {platform.python_version()}, {platform.machine()})")
    return 0


def _settings(chosen: argparse.Namespace, *, upstream: bool = False, references: bool = False) -> "Settings":
    """The settings in use. Warns on stderr; raises ConfigError with every problem."""
    from sidecar import config

    flags = {key: getattr(chosen, key, None) for key in _FLAGS}
    check = _load_reference if references else None
    settings = config.load(_config_path(chosen), os.environ, flags, upstream=upstream, reference=check)
    for warning in settings.warnings:
        tell(f"warning: {warning}")
    return settings


def _load_reference(path: str) -> object:
    from sidecar.profiles.store import load

    return load(path)


def _config_path(chosen: argparse.Namespace) -> str | None:
    return chosen.config or os.environ.get("SIDECAR_CONFIG") or None


def _tee(chosen: argparse.Namespace) -> str:
    """The path of the socket between the halves."""
    address = Address.of_flag("--tee", chosen.tee)
    if not address.is_unix:
        raise UsageError(f"--tee: {address} is not a unix socket; give unix:/path")
    return address.path


def _summary(settings: "Settings") -> str:
    routes = [
        f"{route.listen} to {route.upstream or 'where it was sent'}" for route in settings.resolved_routes()
    ]
    relays = f"relays {', '.join(routes)}" if routes else "no upstream yet (give --upstream)"
    ingest = [f"{k} on {v}" for k, v in settings.ingest.model_dump(exclude_none=True, mode="json").items()]
    if ingest:
        relays = f"{relays if routes else 'relays nothing'}; takes {', '.join(ingest)}"
    policies = settings.policies()
    slos = ", ".join(f"{o.slo} {o.objective:f} %" for o in policies.default.objectives)
    models = f"; models of their own: {', '.join(policies.models)}" if policies.models else ""
    reference = policies.default.reference or "learnt from traffic"
    return f"{relays}; admin on {settings.admin}; objectives {slos}; reference {reference}{models}"


def profile(chosen: argparse.Namespace) -> int:
    """`sidecar profile`."""
    from sidecar.profiling import profile as build

    return build(chosen.data, chosen.output, chosen.prediction, chosen.label, chosen.timestamp)


def replay(chosen: argparse.Namespace) -> int:
    """`sidecar replay`."""
    settings = _settings(chosen, references=True)
    from sidecar.replay.files import Roles
    from sidecar.replay.run import replay as run_over

    roles = Roles(chosen.prediction, chosen.label, chosen.timestamp, chosen.partial, chosen.segment)
    return run_over(
        chosen.data, settings, chosen.reference, chosen.model or "", roles, chosen.chunk, chosen.format
    )


def explain(chosen: argparse.Namespace) -> int:
    """`sidecar explain`."""
    if (chosen.file is None) == (chosen.recent is None):
        raise UsageError("explain: give a FILE, or --recent to ask a running sidecar")
    if chosen.recent and not re.fullmatch(r"[0-9]{1,18}", chosen.recent):
        raise UsageError(
            f"explain: {chosen.recent[:60]!a} is no number; give the one that sidecar explain --recent "
            "puts before each exchange"
        )
    from sidecar.explain import explain_file, explain_recent

    settings = _settings(chosen)
    if chosen.file is not None:
        return explain_file(chosen.file, settings, chosen.format)
    return explain_recent(settings.admin, chosen.recent, chosen.format)


def rules(chosen: argparse.Namespace) -> int:
    """`sidecar rules`: generic, or for the objectives of a configuration."""
    from sidecar.generators import rule_objects, slo_specs
    from sidecar.generators import rules as generator
    from sidecar.policy import Policies

    settings = _settings(chosen)
    policies, links = settings.policies() if _config_path(chosen) else None, _links(chosen, settings)
    if chosen.label and chosen.format != "prometheusrule":
        raise UsageError("--label is for PrometheusRule objects; give --format prometheusrule")
    if chosen.format == "sloth":
        return _write(slo_specs.sloth(policies or Policies(), links), chosen.output)
    if chosen.format == "openslo":
        return _write(slo_specs.openslo(policies or Policies()), chosen.output)
    files = generator.generate(policies, links=links)
    if chosen.format == "prometheusrule":
        files = rule_objects.objects(files, _labels(chosen.label))
    return _write(files, chosen.output)


def _links(chosen: argparse.Namespace, settings: "Settings") -> "Links":
    """Where alerts point: flags over variables over file, as everywhere."""
    from sidecar.generators.links import RUNBOOKS, Links

    runbooks = _base_url("--runbook-url", chosen.runbook_url) or settings.paging.runbook_url
    grafana = _base_url("--grafana-url", chosen.grafana_url) or settings.paging.grafana_url
    return Links(runbooks or RUNBOOKS, grafana or "")


def _base_url(flag: str, given: str | None) -> str:
    from sidecar.config.values import base_url

    try:
        return base_url(given) if given else ""
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error


def _labels(given: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE of the command line."""
    for one in given:
        if not re.fullmatch(r"[A-Za-z0-9][\w./-]{0,252}=[\w.-]{0,63}", one):
            raise UsageError(
                f"--label {one[:60]!a} is not allowed; give KEY=VALUE such as release=prometheus"
            )
    return dict(one.split("=", 1) for one in given)


def dashboards(chosen: argparse.Namespace) -> int:
    """`sidecar dashboards`."""
    from sidecar.generators import dashboards as generator

    return _write(generator.generate(_links(chosen, _settings(chosen))), chosen.output)


def _write(files: Mapping[str, str], output: str) -> int:
    """Each file into the directory `output`, or all to stdout for "-"."""
    from sidecar.generators.files import write

    if output == "-":
        for name, text in files.items():
            # Several rule files in one stream are several YAML documents.
            print(f"--- # {name}" if name.endswith(".yaml") else "", text, sep="\n", end="")
        return 0
    for path in write(Path(output), files):
        print(path)
    return 0


def demo(chosen: argparse.Namespace) -> int:
    """`sidecar demo`."""
    from sidecar.demo import run_demo

    incident = not chosen.no_incident
    return run_demo(chosen.seconds, chosen.headless, incident, chosen.scenario)


def probe(chosen: argparse.Namespace) -> int:
    """`sidecar probe`."""
    from sidecar.probing import probe as ask

    return ask(chosen.admin, ready=chosen.ready)


def redirect(chosen: argparse.Namespace) -> int:
    """`sidecar redirect`."""
    from sidecar.redirecting import redirect as change

    return change(chosen.port, chosen.to, remove=chosen.remove)


def webhook(chosen: argparse.Namespace) -> int:
    """`sidecar webhook`."""
    import asyncio

    from sidecar import logs
    from sidecar.admission import injection, server
    from sidecar.admission.cluster import Cluster

    described = injection.load(chosen.injection)
    contexts = server.certificate(chosen.tls_cert, chosen.tls_key)
    address = Address.of_flag("--listen", chosen.listen)
    logs.configure("webhook")
    answering = server.Webhook(described, Cluster.of_this_pod())
    return asyncio.run(server.run(answering, address, contexts))
