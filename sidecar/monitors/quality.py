"""Data quality over time: are recent rows still what rows of this model used to be?

Gathers rows into windows, puts each to the checks (`quality_surge`, `_stuck`, `_unit`, `_duplicates`) and
keeps the problems they find. All versions of a model are judged together, as drift judges them: clients, not
versions, send features. What it is not: drift. What is found here breaks in one step and needs no patience.

The trap: features that were sent elsewhere, and rows that the model refused, say nothing and are left out.
"""

from collections.abc import Mapping
from typing import Any

from sidecar import catalog_quality as catalog
from sidecar.batch import Batch
from sidecar.monitors.quality_duplicates import Duplicates
from sidecar.monitors.quality_problems import Problems
from sidecar.monitors.quality_stuck import Stuck
from sidecar.monitors.quality_surge import Surges
from sidecar.monitors.quality_unit import Units
from sidecar.monitors.quality_window import Gathering, Layout, Window, layout_of
from sidecar.monitors.recent import Recent
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.reference import ColumnType, Reference, References
from sidecar.registry import Registry

# A pod that serves more models than this judges those in use.
MODELS_LIMIT = 50
# Clients that send different columns are few; one that sends random ones must not hold memory.
LAYOUTS_LIMIT = 8
_LEVELLED = (ColumnType.CATEGORY, ColumnType.BOOLEAN)
_FEATURE_PROBLEMS = frozenset(catalog.FEATURE_PROBLEMS) - {"stale"}
_ROW_PROBLEMS = frozenset(catalog.ROW_PROBLEMS)
_ROWS = frozenset({""})


class DataQuality:
    """A RowMonitor: features that broke, and rows that come twice."""

    def __init__(self, registry: Registry, references: References, problems: Problems) -> None:
        self._references = references
        self._problems = problems
        self._duplicates = registry.counter(catalog.DUPLICATE_ROWS)
        self._models: Recent[str, _Model] = Recent(MODELS_LIMIT, lambda name: _Model())

    def fold(self, batch: Batch) -> None:
        """Judge the window that these rows complete, if they do."""
        if not batch.trusted or batch.elsewhere or batch.rows <= 0 or not batch.features:
            return
        model = self._models[batch.model]
        model.used = batch.last
        model.use(self._references.of(batch.model))
        self._problems.introduce(batch.model)
        layout = model.layouts[layout_of(batch)]
        window = layout.gathering.take(batch)
        if window is not None:
            self._judge(batch.model, layout, window)
            self._count_duplicates(batch, model.duplicates, window)

    def tick(self, now: float) -> None:
        """End problems nobody shows any more, and forget models unused for a day."""
        self._problems.tick(now)
        for name, model in self._models.items():
            if now - model.used > UNUSED_AFTER_SECONDS:
                self._models.discard(name)
                self._problems.forget(name)

    def state(self) -> dict[str, Any]:
        """What is usual of each model, to be saved: shares and counts, no value of a row."""
        return {name: model.state() for name, model in self._models.items()}

    def restore(self, document: Mapping[str, Any], now: float) -> None:
        """Go on from what `state` gave, where the reference is still the same. Raises ValueError."""
        try:
            for name, saved in list(document.items())[:MODELS_LIMIT]:
                model = _Model()
                model.use(self._references.of(name))
                if model.restore(saved):
                    model.used = now
                    self._models.put(name, model)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no data quality of ours") from error

    def _judge(self, model: str, layout: "_Layout", window: Window) -> None:
        for check in (layout.surges, layout.stuck, layout.units):
            for feature, problem, text in check.check(window):
                self._problems.see(model, feature, problem, text, window.last)
        self._problems.calm(model, layout.features, _FEATURE_PROBLEMS, window.last)

    def _count_duplicates(self, batch: Batch, duplicates: Duplicates, window: Window) -> None:
        equal = duplicates.count(window)
        self._duplicates.add(equal, batch.model, batch.version)
        if duplicates.is_surge(equal, window.rows):
            text = f"{equal / window.rows:.0%} of {window.rows} rows equal one of the last few thousand"
            text += f"; usual is at most {duplicates.usual:.1%}"
            self._problems.see(batch.model, "", "duplicated", text, window.last)
        self._problems.calm(batch.model, _ROWS, _ROW_PROBLEMS, window.last)


class _Model:
    """What is known of one model under the reference in use."""

    def __init__(self) -> None:
        self.used = 0.0
        self.duplicates = Duplicates()
        self._reference: Reference | None = None
        self.layouts = self._new_layouts()

    def use(self, reference: Reference | None) -> None:
        if reference is not self._reference:
            self._reference = reference
            self.layouts = self._new_layouts()

    def state(self) -> dict[str, Any]:
        layouts = [layout.state(columns) for columns, layout in self.layouts.items()]
        return {"profile": self._profile, "duplicates": self.duplicates.state(), "layouts": layouts}

    def restore(self, saved: Mapping[str, Any]) -> bool:
        """Whether it is about the reference in use."""
        if saved["profile"] != self._profile:
            return False
        self.duplicates.restore(saved["duplicates"])
        for one in saved["layouts"][:LAYOUTS_LIMIT]:
            columns = tuple((str(name), ColumnType(type)) for name, type in one["columns"])
            self.layouts[columns].restore(one)
        return True

    @property
    def _profile(self) -> str:
        return self._reference.profile if self._reference else ""

    def _new_layouts(self) -> "Recent[Layout, _Layout]":
        return Recent(LAYOUTS_LIMIT, lambda layout: _Layout(layout, self._reference))


class _Layout:
    """The checks of rows with the same features."""

    def __init__(self, layout: Layout, reference: Reference | None) -> None:
        self.gathering = Gathering(layout)
        self.features = frozenset(self.gathering.names)
        levelled = tuple(name for name, type in layout if type in _LEVELLED)
        self.surges = Surges(self.gathering.names, reference)
        self.stuck = Stuck(self.gathering.numeric, levelled, reference)
        self.units = Units(self.gathering.numeric, reference)

    def state(self, columns: Layout) -> dict[str, Any]:
        named = [[name, type.value] for name, type in columns]
        return {"columns": named, "surges": self.surges.state(), "stuck": self.stuck.state()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.surges.restore(saved["surges"])
        self.stuck.restore(saved["stuck"])
