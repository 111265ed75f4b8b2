"""What happened, as the one JSON object that `demo --headless` prints, and whether it was good enough.

The verdict is strict on purpose: a phase nobody saw, an alarm nobody caused, a request nobody can account
for, each is one sentence here and a non-zero exit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Failures of these kinds are injected; the model server knows how many.
INJECTED_FAILURES = ("http_503", "truncated")


@dataclass(slots=True)
class Finding:
    """One incident phase: when it began and when it was seen, in seconds since the epoch.

    One that was seen and never injected is a false alarm.
    """

    name: str
    injected_at: float | None = None
    detected_at: float | None = None
    evidence: str = ""

    @property
    def delay(self) -> float | None:
        """Seconds from cause to detection."""
        if self.injected_at is None or self.detected_at is None:
            return None
        return self.detected_at - self.injected_at


@dataclass(frozen=True, slots=True)
class Page:
    """A notification as the webhook received it; `received_at` in seconds since the epoch."""

    alertname: str
    severity: str
    received_at: float
    summary: str = ""

    @property
    def headline(self) -> str:
        """Its name and what it says, without the model, of which the demo has only one."""
        said = self.summary.partition(": ")[2] or self.summary
        return f"{self.alertname}: {said}" if said else self.alertname


@dataclass(slots=True)
class Accounts:
    """Every request, told by each party. `injected` is what the model server failed on purpose."""

    sent: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    observed: int = 0
    answered_by_model: int = 0
    injected: int = 0


@dataclass(slots=True)
class Report:
    """Everything the demo learnt."""

    findings: list[Finding]
    false_alarms: list[Finding] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    accounts: Accounts = field(default_factory=Accounts)
    prometheus: bool = False
    incident: bool = True


def as_json(report: Report) -> dict[str, Any]:
    """The summary; times in seconds since the epoch, delays in seconds."""
    accounts = report.accounts
    return {
        "phases": [
            {
                "name": finding.name,
                "injected_at": _rounded(finding.injected_at),
                "detected_at": _rounded(finding.detected_at),
                "delay_s": _rounded(finding.delay),
            }
            for finding in (*report.findings, *report.false_alarms)
        ],
        "alerts": [
            {
                "alertname": page.alertname,
                "severity": page.severity,
                "received_at": _rounded(page.received_at),
            }
            for page in report.pages
        ],
        "requests": {
            "sent": accounts.sent,
            "failed": sum(accounts.failures.values()),
            "observed": accounts.observed,
        },
        "prometheus": report.prometheus,
    }


def problems(report: Report) -> list[str]:
    """What was not as promised, one sentence each; empty when all is well."""
    return [*_detection_problems(report), *_account_problems(report.accounts)]


def _detection_problems(report: Report) -> Iterable[str]:
    yield from (f"nothing was injected, yet: {alarm.evidence}" for alarm in report.false_alarms)
    if not report.incident:
        yield from (f"nothing was injected, yet {page.alertname} was received" for page in report.pages)
        return
    for finding in report.findings:
        if finding.detected_at is None:
            yield f"{finding.name} was not detected"
    if report.prometheus and not report.pages:
        yield "no alert was received, although Prometheus and Alertmanager are running"


def _account_problems(accounts: Accounts) -> Iterable[str]:
    if accounts.observed != accounts.sent:
        yield f"{accounts.sent} requests were sent, but the sidecar observed {accounts.observed}"
    if accounts.answered_by_model + accounts.injected != accounts.sent:
        served = accounts.answered_by_model + accounts.injected
        yield f"{accounts.sent} requests were sent, but {served} reached the model"
    for kind, count in sorted(accounts.failures.items()):
        if kind not in INJECTED_FAILURES:
            yield f"{count} requests failed ({kind}) that nobody made fail"
    failed = sum(accounts.failures.get(kind, 0) for kind in INJECTED_FAILURES)
    if failed != accounts.injected:
        yield f"the model failed {accounts.injected} requests on purpose, but {failed} were seen to fail"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def as_text(report: Report) -> Iterable[str]:
    """The summary for people, line by line."""
    yield ""
    for finding in report.findings:
        seen = (
            "not seen" if finding.delay is None else f"seen after {finding.delay:4.1f} s  {finding.evidence}"
        )
        yield f"  {finding.name.replace('_', ' '):<18}{seen}"
    for page in report.pages:
        yield f"  {page.severity:<18}{page.headline}"
    accounts = report.accounts
    failed = sum(accounts.failures.values())
    yield (
        f"  {accounts.sent} requests sent, {accounts.observed} observed, "
        f"{failed} failed, {accounts.injected} of them on purpose"
    )
