"""Data sets with a change in them, from what the wheels of NannyML and river bring along; no download.

Each is a reference of 15,000 rows, 15,000 rows before a change and as many after it, as columns. NannyML's
own change in the middle of what it calls analysis; which columns do was settled with the whole halves (25,000
to 30,000 rows each; Kolmogorov-Smirnov or chi-square, p < 1e-6; above .001 they count as unchanged, between
as neither). River's have no known change: rows are drawn from them with replacement (of the shuttle, in its
order), and one is planted in the copy.

What is left out: housing (rows sorted by place: everything changes all the time), Titanic (1,309 rows), and
river's files of fewer than a thousand rows, of text, or of prices by day. The trap: what was drawn with
replacement is independent, as no traffic is.
"""

import csv
import gzip
import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 15_000
_CENSUS = "employment_MA"

Columns = dict[str, Any]
"""By name: numbers as an array (NaN for none), levels as a list (None for none)."""
Plant = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class Case:
    """A data set: its columns, which of them change, and of which that is not known."""

    name: str
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    files: tuple[str, str] = ("", "")  # of NannyML: reference, analysis
    change: int = 0  # the row of the file at which it changes
    source: str = ""  # of river
    planted: dict[str, Plant] = field(default_factory=dict)
    levels: bool = False  # every column is one of levels
    unclear: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are judged."""
        return *self.changed, *self.unchanged, *self.unclear


def shifted(by: float) -> Plant:
    """Numbers moved by so many of their deviations."""
    return lambda values, _: values + by * values.std()


def wider(factor: float) -> Plant:
    """Numbers that far from their mean."""
    return lambda values, _: values.mean() + factor * (values - values.mean())


def fuller(share: float) -> Plant:
    """A share of the rows has the most frequent value instead."""

    def plant(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
        found, counts = np.unique(values, return_counts=True)
        return np.where(random.random(len(values)) < share, found[counts.argmax()], values)

    return plant


def swapped(values: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """The two most frequent values have changed places."""
    found, counts = np.unique(values, return_counts=True)
    one, other = found[np.argsort(counts)[-2:]]
    return np.where(values == one, other, np.where(values == other, one, values))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CASES = [
    Case(
        "work from home",
        _names("distance_from_office salary_range public_transportation_cost wfh_prev_workday y_pred_proba"),
        _names("gas_price_per_litre workday tenure"),
        ("synthetic_sample_reference.csv", "synthetic_sample_analysis.csv"),
        25_000,
    ),
    Case(
        "car loans, with nulls",
        _names("car_value salary_range loan_length repaid_loan_on_prev_car driver_tenure y_pred_proba"),
        _names("debt_to_income_ratio"),
        ("synthetic_car_loan_dq_reference.csv", "synthetic_car_loan_dq_analysis.csv"),
        25_000,
        unclear=("size_of_downpayment",),  # a new level, rarely, from the first row on
    ),
    Case(
        "credit cards, three classes",
        _names(
            "acq_channel app_behavioral_score requested_credit_limit app_channel credit_bureau_score "
            "stated_income is_customer y_pred_proba_prepaid_card y_pred_proba_highstreet_card "
            "y_pred_proba_upmarket_card y_pred"
        ),
        (),
        ("mc_reference.csv", "mc_analysis.csv"),
        30_000,
    ),
    Case(
        "car prices, a regression",
        _names("car_age km_driven price_new accident_count door_count fuel transmission y_pred"),
        (),
        ("regression_synthetic_reference.csv", "regression_synthetic_analysis.csv"),
        30_000,
    ),
    # Real: 2015 (the reference), 2016 and 2017; of 2017, group quarters come last in the file.
    Case(
        "US census, the year turns",
        _names("SCHL MAR RELP DREM y_pred y_pred_proba"),
        _names("ESP CIT MIG MIL ANC NATIVITY DEAR DEYE SEX"),
        (f"{_CENSUS}_reference", f"{_CENSUS}_analysis"),
        69_126,
        unclear=("AGEP", "DIS", "RAC1P"),
    ),
    Case(
        "shuttle, planted",
        _names("f1 f3 f5"),
        _names("f2 f4 f6 f7 f8 f9"),
        source="shuttle.csv.gz",
        planted={"f1": shifted(0.25), "f3": wider(1.5), "f5": fuller(0.2)},
    ),
    Case("bananas, planted", ("x1",), ("x2",), source="banana.zip", planted={"x1": shifted(0.25)}),
    Case(
        "image segments, planted",
        _names("region-centroid-col hue-mean intensity-mean"),
        _names(
            "region-centroid-row short-line-density-5 short-line-density-2 vedge-mean vegde-sd hedge-mean "
            "hedge-sd rawred-mean rawblue-mean rawgreen-mean exred-mean exblue-mean exgreen-mean value-mean "
            "saturation-mean"
        ),
        source="segment.csv.zip",
        planted={
            "region-centroid-col": shifted(0.5),
            "hue-mean": wider(1.5),
            "intensity-mean": fuller(0.2),
        },
    ),
    Case(
        "phishing, planted",
        _names("https long_url"),
        _names(
            "empty_server_form_handler popup_window request_from_other_domain anchor_from_other_domain "
            "is_popular age_of_domain ip_in_url"
        ),
        source="phishing.csv.gz",
        levels=True,
        planted={"https": swapped, "long_url": fuller(0.2)},
    ),
    Case(
        "solar flares, planted",
        _names("zurich-class evolution"),
        _names(
            "largest-spot-size spot-distribution activity previous-24h-flare-activity hist-complex "
            "hist-complex-this-pass area"
        ),
        source="solar-flare.csv.zip",
        levels=True,
        planted={"zurich-class": fuller(0.2), "evolution": fuller(0.2)},
    ),
]


def load(case: Case, nannyml: Path) -> tuple[Columns, Columns]:
    """The reference and the rows; `nannyml` is the environment that has it."""
    if case.source:
        return _planted(case)
    data = next(nannyml.glob("lib/python*/site-packages/nannyml/datasets/data"))
    reference, analysis = (_text(data / _as_csv(name, data, nannyml)) for name in case.files)
    first = case.change - ROWS
    return _columns(case, reference, 0, ROWS), _columns(case, analysis, first, first + 2 * ROWS)


def _as_csv(name: str, data: Path, nannyml: Path) -> str:
    """Parquet is written as CSV once, by the environment that can read it."""
    if name.endswith(".csv"):
        return name
    if not (data / f"{name}.csv").exists():
        program = "import sys, pandas; pandas.read_parquet(sys.argv[1]).to_csv(sys.argv[2], index=False)"
        command = [nannyml / "bin" / "python", "-c", program, data / f"{name}.pq", data / f"{name}.csv"]
        subprocess.run(command, check=True)
    return f"{name}.csv"


def _columns(case: Case, rows: list[dict[str, str]], first: int, last: int) -> Columns:
    return {name: _typed([row[name] for row in rows[first:last]], case.levels) for name in case.columns}


def _typed(cells: list[str], levels: bool) -> Any:
    if not levels:
        try:
            return np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            pass
    return [cell or None for cell in cells]


def _planted(case: Case) -> tuple[Columns, Columns]:
    """Rows of a file, as often as needed, and the same changed from the middle on."""
    spec = find_spec("river")
    assert spec is not None
    assert spec.origin is not None
    table = _text(Path(spec.origin).parent / "datasets" / case.source)
    random = np.random.default_rng(1)
    enough = len(table) >= 3 * ROWS
    order = np.arange(3 * ROWS) if enough else random.integers(len(table), size=3 * ROWS)
    reference, rows = (
        {name: np.array([table[at][name] for at in part.tolist()]) for name in case.columns}
        for part in (order[:ROWS], order[ROWS:])
    )
    typed = (
        {name: _array(values, case.levels) for name, values in part.items()} for part in (reference, rows)
    )
    reference, rows = typed
    for name, plant in case.planted.items():
        # Deviations and frequent values are those of the reference's rows, or of the rows themselves: alike.
        rows[name][ROWS:] = plant(rows[name][ROWS:], random)
    return tuple({n: v.tolist() if case.levels else v for n, v in part.items()} for part in (reference, rows))  # type: ignore[return-value]


def _array(values: np.ndarray, levels: bool) -> np.ndarray:
    return values.astype(object) if levels else values.astype(np.float64)


def _text(path: Path) -> list[dict[str, str]]:
    """The rows of a file: CSV, CSV in gzip or zip, or the bananas' own format."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
    else:
        text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    if path.name == "banana.zip":
        return list(_svmlight(text))
    # The census calls its predictions otherwise than all others do.
    head, _, rest = text.partition("\n")
    head = head.replace("predicted_probability", "y_pred_proba").replace("prediction", "y_pred")
    return list(csv.DictReader(io.StringIO(f"{head}\n{rest}")))


def _svmlight(text: str) -> Iterator[dict[str, str]]:
    for line in text.splitlines():
        _, *cells = line.split()
        yield {f"x{number}": value for number, _, value in (cell.partition(":") for cell in cells)}
