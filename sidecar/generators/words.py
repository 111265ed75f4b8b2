"""What alert texts fill in when they are sent: Prometheus' own template expressions, by name.

The trap: values belong in annotations only. In a label they would make a new alert at every evaluation.
"""


def label(name: str) -> str:
    """The alert's value of a label."""
    return f"{{{{ $labels.{name} }}}}"


VALUE = "{{ $value | humanize }}"
COUNT = '{{ $value | printf "%.0f" }}'
SHARE = "{{ $value | humanizePercentage }}"
SECONDS = "{{ $value | humanizeDuration }}"
BYTES = "{{ $value | humanize1024 }}B"

MODEL, VERSION, OUTPUT = label("model_name"), label("model_version"), label("output")
KIND, NAME, FEATURE = label("kind"), label("name"), label("feature")
SIGNAL, CONTAINER, POD = label("signal"), label("container"), label("pod")
JOB, NAMESPACE, REPLICA, REASON = label("job"), label("namespace"), label("instance"), label("reason")
