"""Drift on recorded data whose change is known: the car-loan extracts in tests/cases/drift."""

from pathlib import Path

import pytest

from sidecar.batch import Batch, CleanColumn
from sidecar.monitors.clean import clean_column, rules_for
from sidecar.monitors.drift_verdict import Verdict
from sidecar.profiles.read import build_profile, read_columns
from sidecar.reference import ColumnProfile, Expectation
from tests.monitors.drift_streams import LOUD, Watch

CASES = Path(__file__).parent.parent / "cases" / "drift"
CHANGE = 15_000
CHANGED = {"car_value", "loan_length", "salary_range", "repaid_loan_on_prev_car", "y_pred_proba"}
UNCHANGED = {"debt_to_income_ratio", "driver_tenure", "size_of_downpayment"}


@pytest.fixture(scope="module")
def tickets() -> list[Verdict]:
    given = build_profile(
        CASES / "car_loan_reference_15k.csv.gz", ["y_pred_proba", "y_pred"], "repaid", "timestamp"
    )
    watch = Watch(given)
    for rows, columns in read_columns(CASES / "car_loan_analysis_rows10000_39999.csv.gz"):

        def cleaned(profiles: dict[str, ColumnProfile], columns: dict = columns) -> dict[str, CleanColumn]:
            return {
                name: clean_column(name, columns[name], rules_for(p.type, Expectation(), p, given=True))
                for name, p in profiles.items()
            }

        watch.monitor.fold(Batch("m", "1", rows, 0.0, 0.0, cleaned(given.features), cleaned(given.outputs)))
    return [verdict for verdict in watch.said if verdict.level in LOUD]


def test_nothing_is_raised_before_the_change(tickets: list[Verdict]):
    assert [v for v in tickets if v.row < CHANGE] == []


def test_every_changed_column_is_found_within_1_500_rows(tickets: list[Verdict]):
    assert {v.name for v in tickets if v.row < CHANGE + 1_500} == CHANGED


def test_no_unchanged_column_is_ever_blamed(tickets: list[Verdict]):
    assert not {v.name for v in tickets} & UNCHANGED
