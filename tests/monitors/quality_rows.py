"""Rows for tests of data quality: a reference, and the same monitors as the observer has."""

import logging
from typing import Any

import numpy as np

from sidecar.batch import Batch
from sidecar.monitors.quality import DataQuality
from sidecar.monitors.quality_problems import Problems
from sidecar.monitors.schema import Schema
from sidecar.policy import ModelPolicy
from sidecar.profiles.build import ProfileBuilder
from sidecar.reference import Expectation, Reference
from sidecar.registry import Registry
from tests.fakes import OneReference

ROWS = 5_000


def columns(rows: int, seed: int = 0) -> dict[str, list[Any]]:
    """Rows in control: a temperature, an amount with some nulls, a flag that is mostly 0, a region."""
    rng = np.random.default_rng(seed)
    amount = np.where(rng.random(rows) < 0.02, None, rng.lognormal(size=rows))
    return {
        "celsius": rng.normal(15, 5, rows).tolist(),
        "amount": amount.tolist(),
        "flag": (rng.random(rows) < 0.1).astype(float).tolist(),
        "region": rng.choice(["n", "s", "e", "w"], rows, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
    }


def reference() -> Reference:
    """The reference of such rows."""
    builder = ProfileBuilder()
    builder.add(ROWS, columns(ROWS, seed=99))
    return builder.reference()


class Watch:
    """Cleans rows and has data quality look at them; `standing` says what it found."""

    def __init__(self, given: Reference | None, **expectations: Expectation) -> None:
        self.references = OneReference(given)
        self.registry = Registry()
        self.problems = Problems(self.registry)
        self.monitor = DataQuality(self.registry, self.references, self.problems)
        self._schema = Schema(ModelPolicy(expectations=expectations))
        self.now = 0.0

    def see(
        self, rows: dict[str, list[Any]], *, at_a_time: int = 256, requests: int = 0, **more: Any
    ) -> None:
        """Fold rows, some at a time, a second apart."""
        total = len(next(iter(rows.values())))
        self._schema.use(self.references.of("m"))
        for at in range(0, total, at_a_time):
            part = [values[at : at + at_a_time] for values in rows.values()]
            features, _ = self._schema.features.clean(list(rows), part, self.now, trusted=True)
            count = len(part[0])
            batch = Batch("m", "1", count, self.now, self.now, features, requests=requests, **more)
            self.monitor.fold(batch)
            self.now += 1.0

    @property
    def standing(self) -> dict[tuple[str, str], str]:
        """The text of each problem that stands, by feature and problem."""
        return {(found.feature, found.problem): found.text for found in self.problems.standing()}


def said(records: list[logging.LogRecord]) -> list[str]:
    """What was logged of data quality."""
    return [r.getMessage() for r in records if r.getMessage().startswith("data quality")]
