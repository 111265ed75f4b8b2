"""Reads the `OTEL_*` variables as OpenTelemetry's specification says. Pure.

An empty variable is not set. A value that means nothing is reported and treated as not set, since variables
are often injected into every container of a pod. The trap: the specification gives times in milliseconds.
"""

from collections.abc import Callable, Mapping
from urllib.parse import unquote


class Variables:
    """Variables of one signal (`METRICS`, `TRACES`, `LOGS`). `problems` has a sentence for each misfit."""

    def __init__(self, environ: Mapping[str, str], signal: str = "METRICS") -> None:
        self._environ = environ
        self._signal = signal.upper()
        self.problems: list[str] = []

    def __call__(self, name: str) -> str:
        """The value, "" if there is none."""
        return self._environ.get(name, "").strip()

    def otlp(self, name: str) -> str:
        """A variable for this signal, else the one for all signals."""
        return self(f"OTEL_EXPORTER_OTLP_{self._signal}_{name}") or self(f"OTEL_EXPORTER_OTLP_{name}")

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        """`otlp` in lower case, "" if it is none of `allowed`."""
        value = self.otlp(name).lower()
        if value and value not in allowed:
            self.problems.append(f"OTEL_EXPORTER_OTLP_{name}: {value!r} is not one of {', '.join(allowed)}")
            return ""
        return value

    def seconds(self, value: str, name: str, default: float) -> float:
        """A number of milliseconds, as seconds."""
        # Beyond a day is a typing error; it also keeps infinity and NaN out.
        milliseconds = self._number(value, name, "milliseconds above 0", lambda n: 0 < n <= 86_400_000)
        return default if milliseconds is None else milliseconds / 1000

    def share(self, name: str, default: float) -> float:
        """A number from 0 to 1."""
        found = self._number(self(name), name, "0 to 1", lambda n: 0 <= n <= 1)
        return default if found is None else found

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

    def _number(self, value: str, name: str, want: str, right: Callable[[float], bool]) -> float | None:
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if right(number):
            return number
        self.problems.append(f"{name}: {value!r} is not a number of {want}")
        return None


def turned_off(read: Variables, signal: str) -> bool:
    """Whether the usual switches say that nothing of this signal goes to a collector."""
    exporters = read(f"OTEL_{signal.upper()}_EXPORTER").lower()
    chosen = {name.strip() for name in exporters.split(",")}
    return read("OTEL_SDK_DISABLED").lower() == "true" or bool(exporters and "otlp" not in chosen)
