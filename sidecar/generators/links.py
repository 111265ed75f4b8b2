"""Where alerts and dashboards point: the one place that knows our addresses.

Dashboards link to each other by paths, which Grafana resolves against itself. An alert is read elsewhere, in
Alertmanager or a chat, where a path leads nowhere: without the address of a Grafana it carries the path
only, and Grafana's own annotation, from which Grafana's pages about alerts make a link.
"""

from dataclasses import dataclass

RUNBOOKS = "https://github.com/inference-sidecar/inference-sidecar/blob/main/docs/runbooks"
ON_CALL_UID = "inference-on-call"
FLEET_UID = "inference-fleet"
MODEL_UID = "inference-model"
EXECUTIVE_UID = "inference-executive"
GENERATION_UID = "inference-llm"
VERSIONS_UID = "inference-versions"
COST_UID = "inference-sidecar"
_KEEP = "${__url_time_range}&${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}"


@dataclass(frozen=True, slots=True)
class Links:
    """Bases without a trailing slash: where the runbooks are, and Grafana (`https://grafana.example.org`)."""

    runbooks: str = RUNBOOKS
    grafana: str = ""

    def runbook(self, alert: str) -> str:
        """The page for an alert."""
        return f"{self.runbooks}/{alert}.md"

    def on_call(self, *, model: bool) -> str:
        """The path of the on-call dashboard, opened at the alert's installation and, if it has one, model."""
        # A Prometheus of one cluster knows its name as an external label only, which no series has.
        labels = {
            "cluster": "or $labels.cluster $externalLabels.cluster",
            "namespace": "$labels.namespace",
            "job": "$labels.job",
        }
        if model:
            labels["model"] = "$labels.model_name"
        # What there is not is left out: empty, it would choose nothing instead of everything.
        chosen = (
            f"{{{{ with {label} }}}}&var-{name}={{{{ . | urlquery }}}}{{{{ end }}}}"
            for name, label in labels.items()
        )
        return f"/d/{ON_CALL_UID}?from=now-3h&to=now{''.join(chosen)}"

    def board(self, uid: str) -> str:
        """Another dashboard for the model in the cell that is clicked, of the same time and installation."""
        return f"/d/{uid}?var-model=${{__value.raw}}&{_KEEP}&${{namespace:queryparam}}"

    def board_of_namespace(self, uid: str) -> str:
        """The same for the namespace in the cell that is clicked, and the model in its row."""
        # In a cell of its own: without namespaces there is no such column, and then none is chosen.
        return f"/d/{uid}?var-model=${{__data.fields.model_name}}&var-namespace=${{__value.raw}}&{_KEEP}"

    def annotations(self, alert: str, *, model: bool) -> dict[str, str]:
        """The link annotations that every alert carries."""
        path = self.on_call(model=model)
        return {
            "runbook_url": self.runbook(alert),
            "dashboard_url": f"{self.grafana}{path}",
            "__dashboardUid__": ON_CALL_UID,
        }
