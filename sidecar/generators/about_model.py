"""What an alert about a model says besides itself: whose model it is, its runbook, its newest version.

Asked of Prometheus when the alert is sent, so that rules stay generic and expressions stay about one thing.
The trap: a label decides which alert this is. The owner is one of the configured few and is read over half
an hour, so that neither a rollout nor a restart makes another alert of the same one.
"""

from sidecar import catalog, catalog_quality
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


def drift_within() -> str:
    """A sentence for the end of a description: in which segments the rows show the same."""
    chosen = _THIS_MODEL.replace("}", ",kind=%q,name=%q}")
    within = f"topk({_MOST}, count by (segment, value) ({catalog_quality.SEGMENT_DRIFT_ACTIVE.name}{chosen}))"
    return _asked(within, _WITHIN, f"{_LABELS} $labels.kind $labels.name")


def drifted_columns() -> str:
    """The same about a segment's value: which columns."""
    chosen = _THIS_MODEL.replace("}", ",segment=%q,value=%q}")
    columns = f"topk({_MOST}, count by (kind, name) ({catalog_quality.SEGMENT_DRIFT_ACTIVE.name}{chosen}))"
    return _asked(columns, _COLUMNS, f"{_LABELS} $labels.segment $labels.value")


def _asked(query: str, then: str, labels: str = _LABELS) -> str:
    return f"{{{{ with query (printf `{query}` {labels}) }}}}{then}{{{{ end }}}}"


_NEWEST = (
    ' Newest version: {{ . | first | label "model_version" }}, '
    "first seen {{ . | first | value | humanizeDuration }} ago."
)
_BEGAN = ' It began at {{ (. | first | value | toTime).Format "15:04 UTC on 2006-01-02" }}.'
# More names than these are no longer read.
_MOST = 10
_EACH = "{{ range $at, $found := . }}{{ if $at }}, {{ end }}"
_WITHIN = f" Seen within: {_EACH}{{{{ $found.Labels.segment }}}} {{{{ $found.Labels.value }}}}{{{{ end }}}}."
_COLUMNS = f" What drifted: {_EACH}{{{{ $found.Labels.kind }}}} {{{{ $found.Labels.name }}}}{{{{ end }}}}."
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
