"""What an alert about a model says besides itself: whose model it is, its runbook, its newest version.

Asked of Prometheus when the alert is sent, so that rules stay generic and expressions stay about one thing.
The trap: a label decides which alert this is. The owner is one of the configured few and is read over half
an hour, so that neither a rollout nor a restart makes another alert of the same one.
"""

from sidecar import catalog
from sidecar.generators.durations import Durations

_THIS_MODEL = "{model_name=%q,job=%q,namespace=%q,cluster=%q}"
_LABELS = "$labels.model_name $labels.job $labels.namespace $labels.cluster"


def notes(durations: Durations) -> str:
    """Sentences for the end of a description: the newest version and since when, the model's own runbook."""
    seen = f"{catalog.VERSION_FIRST_SEEN.name}{_THIS_MODEL}[{durations.window('1d')}]"
    newest = f"bottomk(1, time() - min by (model_version) (min_over_time({seen})))"
    info = catalog.OWNER_INFO.name + _THIS_MODEL.replace("}", ',runbook!=""}')
    runbook = f"sort_desc(count by (runbook) (last_over_time({info}[{durations.window('30m')}])))"
    return _asked(newest, _NEWEST) + _asked(runbook, _RUNBOOK)


def drift_began() -> str:
    """A sentence for the end of a description: when the change began that the alert is about."""
    chosen = _THIS_MODEL.replace("}", ",model_version=%q,kind=%q,name=%q}")
    labels = f"{_LABELS} $labels.model_version $labels.kind $labels.name"
    return _asked(f"min({catalog.DRIFT_ACTIVE_SINCE.name}{chosen})", _BEGAN, labels)


def _asked(query: str, then: str, labels: str = _LABELS) -> str:
    return f"{{{{ with query (printf `{query}` {labels}) }}}}{then}{{{{ end }}}}"


_NEWEST = (
    ' Newest version: {{ . | first | label "model_version" }}, '
    "first seen {{ . | first | value | humanizeDuration }} ago."
)
_BEGAN = ' It began at {{ (. | first | value | toTime).Format "15:04 UTC on 2006-01-02" }}.'
_RUNBOOK = ' Runbook of the model: {{ . | first | label "runbook" }}'

_OWNER_INFO = catalog.OWNER_INFO.name + _THIS_MODEL.replace("}", ',owner!=""}')
# That of most replicas. Never empty: Prometheus would show the template itself as a label of its ALERTS.
# Half an hour also where windows are shortened: it is no window, and the label decides which alert this is.
OWNER = {
    "owner": _asked(
        f"sort_desc(count by (owner) (last_over_time({_OWNER_INFO}[30m])))",
        '{{ . | first | label "owner" }}{{ else }}unowned',
    )
}
