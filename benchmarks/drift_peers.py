"""Drift found by `sidecar replay`, NannyML and Evidently in the same recorded rows, and what it costs each.

    python -m benchmarks.drift_peers [--rows 100000] [--only NAME] [--tables loans|sets|speed]

Car loans: a reference of 15,000 rows, then 30,000 rows in which five of eight columns change at row 15,000
(tests/cases/drift). Ten data sets from the wheels of NannyML and river (`drift_recorded`), in chunks of
1,000. Speed: 30 normal features in memory. Every contestant runs in a process of its own; NannyML and
Evidently are installed, pinned, into environments below ~/.cache, their telemetry off. Seconds are
processor time, which other load on the machine hardly changes, of learning the reference and judging rows
that are in memory already, imports left out; peak memory is that of the whole process.

The trap: a method that looks at chunks knows at the end of a chunk, so rows to detection are counted from the
change to there. NannyML draws its thresholds from the reference's chunks: of three (15,000 rows by 5,000) it
warns that they are too few, so both sizes are shown. Results and the machine are in docs/drift.md.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from statistics import median_high
from typing import Any

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "cases" / "drift"
REFERENCE = CASES / "car_loan_reference_15k.csv.gz"
ANALYSIS = CASES / "car_loan_analysis_rows10000_39999.csv.gz"
LOANS = "car loans"
CHANGE = 15_000
CHANGED = ["car_value", "loan_length", "salary_range", "repaid_loan_on_prev_car", "y_pred_proba"]
UNCHANGED = ["debt_to_income_ratio", "driver_tenure", "size_of_downpayment"]
COLUMNS = CHANGED + UNCHANGED
FEATURES, REFERENCE_ROWS = 30, 15_000
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inference-sidecar" / "drift-peers"
# statsmodels: NannyML imports it and does not ask for it. Evidently does not yet work with pandas 3.
PACKAGES = {
    "nannyml": ["nannyml==0.13.1", "statsmodels"],
    "evidently": ["evidently==0.7.23", "pandas<3"],
}
QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}

Alert = tuple[int, int, str]
"""The first row an alert is about, the row at which it can be known, and the column."""
Judge = Callable[[Any, Any, int], list[Alert]]
"""Takes the columns of the reference, those to judge, and the rows of a chunk."""


# --- the contestants: each in a process of its own --------------------------------------------------


def with_nannyml(continuous: str, categorical: str) -> Judge:
    """NannyML's univariate drift with these methods."""

    def judge(reference: Any, rows: Any, chunk: int) -> list[Alert]:
        import nannyml

        names = list(reference.columns)
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=names, chunk_size=chunk,
            continuous_methods=[continuous], categorical_methods=[categorical],
        )  # fmt: skip
        found = calculator.fit(reference).calculate(rows).filter(period="analysis").to_df()
        alerts = []
        for name in names:
            method = next(m for m in (continuous, categorical) if (name, m, "alert") in found.columns)
            alerts += [
                (at * chunk, (at + 1) * chunk - 1, name)
                for at, alert in enumerate(found[(name, method, "alert")])
                if alert
            ]
        return alerts

    return judge


def with_evidently(reference: Any, rows: Any, chunk: int) -> list[Alert]:
    """Evidently's drift preset as it comes, once a chunk."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    alerts = []
    for start in range(0, len(rows), chunk):
        found = Report([DataDriftPreset()]).run(rows.iloc[start : start + chunk], reference).dict()
        for metric in found["metrics"]:
            config = metric["config"]
            if "column" in config:
                low = "p_value" in config["method"]
                value, threshold = float(metric["value"]), config["threshold"]
                if value < threshold if low else value > threshold:
                    alerts.append((start, start + chunk - 1, config["column"]))
    return alerts


def with_sidecar(reference: Any, rows: Any, chunk: int) -> list[Alert]:
    """What `sidecar replay` runs on; columns of numpy arrays, or lists where there are levels."""
    from sidecar.policy import Policies
    from sidecar.profiles.build import ProfileBuilder
    from sidecar.profiles.learn import LearntReferences
    from sidecar.replay.rows import RowReplay

    builder = ProfileBuilder()
    builder.add(len(next(iter(reference.values()))), *_sides(reference))
    replaying = RowReplay(LearntReferences(default=builder.reference()), Policies(), "", chunk)
    replaying.feed(len(next(iter(rows.values()))), *_sides(rows))
    replaying.finish()
    found = replaying.findings.detections(models=False)
    return [(d["row"], d["row"], d["name"]) for d in found if d["level"] != "event"]


def _sides(columns: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Features and outputs."""
    outputs = {name: values for name, values in columns.items() if name.startswith("y_pred")}
    return {name: values for name, values in columns.items() if name not in outputs}, outputs


CONTESTANTS: dict[str, tuple[str, Judge]] = {
    "sidecar replay": ("", with_sidecar),
    "NannyML, Jensen-Shannon": ("nannyml", with_nannyml("jensen_shannon", "jensen_shannon")),
    "NannyML, KS and chi2": ("nannyml", with_nannyml("kolmogorov_smirnov", "chi2")),
    "NannyML, Wasserstein and L-infinity": ("nannyml", with_nannyml("wasserstein", "l_infinity")),
    "Evidently, its default": ("evidently", with_evidently),
}


def child(name: str, chunk: int, what: str) -> None:
    """Judge the car loans, so many synthetic rows, or what a file holds; print what came of it as JSON."""
    package, judge = CONTESTANTS[name]
    if what == LOANS:
        data = _car_loans(REFERENCE), _car_loans(ANALYSIS)
    else:
        data = _drawn(int(what)) if what.isdecimal() else _packed(Path(what))
    if package:
        import pandas

        data = pandas.DataFrame(data[0]), pandas.DataFrame(data[1])
    __import__(package or "sidecar.replay.rows")
    began = time.process_time()
    alerts = judge(*data, chunk)
    seconds = time.process_time() - began
    print(json.dumps({"alerts": alerts, "seconds": seconds, "peak": _peak()}))


def _peak() -> float:
    """Megabytes; the maximum of getrusage would include the parent, before the program was started."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


def _car_loans(path: Path) -> dict[str, Any]:
    """The columns that are judged: numbers as arrays, the rest as lists."""
    import numpy as np

    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        cells = [row[name] for row in rows]
        try:
            columns[name] = np.array(cells, dtype=np.float64)
        except ValueError:
            columns[name] = cells
    return columns


def _packed(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `_pack` wrote: the reference and the rows."""
    import numpy as np

    with np.load(path) as arrays:
        names = dict.fromkeys(name.partition(" ")[2] for name in arrays)
        parts = ({name: arrays[f"{part} {name}"] for name in names} for part in ("reference", "rows"))
        reference, rows = (
            {
                n: v if v.dtype.kind == "f" else [level or None for level in v.tolist()]
                for n, v in part.items()
            }
            for part in parts
        )
    return reference, rows


def _drawn(rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    import numpy as np

    random = np.random.default_rng(0)
    sizes = REFERENCE_ROWS, rows
    return tuple({f"f{i}": random.normal(size=size) for i in range(FEATURES)} for size in sizes)  # type: ignore[return-value]


# --- the benchmark ----------------------------------------------------------------------------------


def main() -> None:
    """Print both tables, in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="of the speed table")
    parser.add_argument("--only", default="", help="contestants whose name begins so")
    parser.add_argument("--tables", nargs="*", choices=_TABLES, default=list(_TABLES))
    parser.add_argument("--child", nargs=3, metavar=("NAME", "CHUNK", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, chunk, what = options.child
        child(name, int(chunk), what)
        return
    names = [name for name in CONTESTANTS if name.startswith(options.only)]
    for table in options.tables:
        _TABLES[table](names, options.rows)


def _car_loan_table(names: Iterable[str], _: int) -> None:
    print(
        "| | chunk | false alerts before the change | on unchanged columns after | changed columns found ",
        end="",
    )
    print("| rows to detection, each | CPU s | peak MB |\n|---|---|---|---|---|---|---|---|")
    for name in names:
        for chunk in (5_000,) if name.startswith("sidecar") else (5_000, 1_000):
            done = _run(name, chunk, LOANS)
            alerts = done["alerts"]
            early = sum(known < CHANGE for _, known, _ in alerts)
            wrong = sum(known >= CHANGE and column in UNCHANGED for _, known, column in alerts)
            delays = _delays(alerts, CHANGED)
            cells = (
                name, "none" if name.startswith("sidecar") else f"{chunk:,}", early, wrong,
                f"{len(delays)} of {len(CHANGED)}", ", ".join(f"{delay:,}" for delay in delays) or "-",
                f"{done['seconds']:.2f}", f"{done['peak']:.0f}",
            )  # fmt: skip
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _delays(alerts: list[Alert], changed: Iterable[str]) -> list[int]:
    """Rows from the change to when the first alert about each that was found could be known."""
    return sorted(filter(None, (_delay(alerts, column) for column in changed)))


def _delay(alerts: list[Alert], column: str) -> int | None:
    known = [at for start, at, name in alerts if name == column and start >= CHANGE]
    return min(known) - CHANGE + 1 if known else None


def _set_table(names: Iterable[str], _: int) -> None:
    """A line a data set; of each contestant what `_told` gives."""
    from benchmarks.drift_recorded import CASES, load

    print(f"\n| | {' | '.join(names)} |\n|---|{'---|' * len(list(names))}")
    nannyml = _environment("nannyml").parents[1]
    for case in CASES:
        packed = _pack(CACHE / "data" / f"{case.name}.npz", load(case, nannyml))
        told = (
            _told(_run(name, 1_000, str(packed))["alerts"], case.changed, case.unchanged) for name in names
        )
        print(f"| {case.name} | {' | '.join(told)} |", flush=True)


def _told(alerts: list[Alert], changed: Collection[str], unchanged: Collection[str]) -> str:
    """False alerts before; found of how many; median rows to detection; false alerts after."""
    early = sum(known < CHANGE for _, known, _ in alerts)
    # A joint verdict names no column: after the change it is neither right nor wrong.
    wrong = sum(known >= CHANGE and name in unchanged for _, known, name in alerts)
    delays = _delays(alerts, changed)
    middle = f"{median_high(delays):,}" if delays else "-"
    return f"{early}; {len(delays)} of {len(changed)} in {middle}; {wrong if unchanged else '-'}"


def _pack(path: Path, data: tuple[dict[str, Any], dict[str, Any]]) -> Path:
    """A file that every contestant can read, without a pickle: numbers, or text whose empty is no value."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{part} {name}": v if isinstance(v, np.ndarray) else np.array([level or "" for level in v])
        for part, columns in zip(("reference", "rows"), data, strict=True)
        for name, v in columns.items()
    }
    np.savez(path, **arrays)
    return path


def _speed_table(names: Iterable[str], rows: int) -> None:
    print(f"\n| {rows:,} rows x {FEATURES} numbers in memory, by 5,000 | CPU s | rows/CPU s | peak MB |")
    print("|---|---|---|---|")
    for name in names:
        done = min((_run(name, 5_000, str(rows)) for _ in range(3)), key=lambda run: run["seconds"])
        rate = rows / done["seconds"]
        print(f"| {name} | {done['seconds']:.2f} | {rate:,.0f} | {done['peak']:.0f} |", flush=True)


def _run(name: str, chunk: int, what: str) -> dict[str, Any]:
    package, _ = CONTESTANTS[name]
    python = str(_environment(package)) if package else sys.executable
    command = [python, str(Path(__file__).resolve()), "--child", name, str(chunk), what]
    env = {**os.environ, **QUIET, **({} if package else {"PYTHONPATH": str(ROOT)})}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _environment(package: str) -> Path:
    """The Python of a contestant's own environment, made when it is first needed."""
    where = CACHE / package
    ready = where / "ready"
    if not ready.exists():
        print(f"installing {package} into {where}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True)
        subprocess.run([where / "bin" / "pip", "install", "--quiet", *PACKAGES[package]], check=True)
        ready.touch()
    return where / "bin" / "python"


_TABLES = {"loans": _car_loan_table, "sets": _set_table, "speed": _speed_table}

if __name__ == "__main__":
    main()
