"""Where alerts and dashboards point: the one place that knows our addresses."""

from dataclasses import dataclass

RUNBOOKS = "https://github.com/inference-sidecar/inference-sidecar/blob/main/docs/runbooks"
# Grafana resolves a path against itself; in a chat message it needs the host in front.
DASHBOARDS = "/d"
ON_CALL_UID = "inference-on-call"
FLEET_UID = "inference-fleet"
MODEL_UID = "inference-model"
EXECUTIVE_UID = "inference-executive"
GENERATION_UID = "inference-llm"
VERSIONS_UID = "inference-versions"
COST_UID = "inference-sidecar"


@dataclass(frozen=True, slots=True)
class Links:
    """Bases without a trailing slash. Give `dashboards` your Grafana: `https://grafana.example.org/d`."""

    runbooks: str = RUNBOOKS
    dashboards: str = DASHBOARDS

    def runbook(self, alert: str) -> str:
        """The page for an alert."""
        return f"{self.runbooks}/{alert}.md"

    def on_call(self, *, model: bool) -> str:
        """The on-call dashboard, opened at the alert's namespace and, if it has one, its model."""
        query = "?var-namespace={{ $labels.namespace | urlquery }}"
        if model:
            query += "&var-model={{ $labels.model_name | urlquery }}"
        return f"{self.dashboards}/{ON_CALL_UID}{query}"

    def board(self, uid: str) -> str:
        """Another dashboard for the model in the cell that is clicked, of the same time and installation."""
        keep = "${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}&${job:queryparam}"
        return f"{self.dashboards}/{uid}?var-model=${{__value.raw}}&{keep}"

    def annotations(self, alert: str, *, model: bool) -> dict[str, str]:
        """The two link annotations that every alert carries."""
        return {"runbook_url": self.runbook(alert), "dashboard_url": self.on_call(model=model)}
