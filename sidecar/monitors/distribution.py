"""How values are distributed: rows per bin, as counters that add up across replicas and versions.

With a given reference the bins are its own and the reference's shares stand beside them; until then they
are a fixed grid. Learnt bins are never exported: two replicas would learn different ones. The trap is a
new reference: its hash is in every series, and the old one's series go.
"""

from sidecar import catalog
from sidecar.batch import Batch, CleanColumn
from sidecar.monitors.exported_bins import GRID, ExportedBins, grid_bins, reference_bins
from sidecar.monitors.recent import Recent
from sidecar.names import clean
from sidecar.policy import Policies
from sidecar.reference import Reference, References
from sidecar.registry import Registry

MODELS_LIMIT = 128

_Column = tuple[str, str]  # kind, name


class _ModelBins:
    """The bins of one model's columns under the reference in use."""

    def __init__(self) -> None:
        self.reference: Reference | None = None
        self.profile = ""
        self.given: dict[_Column, ExportedBins] = {}

    def use(self, reference: Reference | None) -> str:
        """Take bins from this reference; returns the profile that it replaces, or ""."""
        if reference is self.reference:
            return ""
        before, self.reference = self.profile, reference
        self.profile = reference.profile if reference else ""
        self.given = _given_bins(reference) if reference and reference.source == "given" else {}
        return before


class Distribution:
    """A RowMonitor: rows per bin, and the reference they are compared with."""

    def __init__(self, registry: Registry, policies: Policies, references: References) -> None:
        self._registry = registry
        self._rows = registry.counter(catalog.DISTRIBUTION_ROWS)
        self._ratio = registry.gauge(catalog.REFERENCE_RATIO)
        self._reference_rows = registry.gauge(catalog.REFERENCE_ROWS)
        self._info = registry.gauge(catalog.REFERENCE_INFO)
        self._policies = policies
        self._references = references
        self._models: Recent[str, _ModelBins] = Recent(MODELS_LIMIT, lambda name: _ModelBins())

    def fold(self, batch: Batch) -> None:
        """Count the rows of the batch, bin by bin."""
        bins = self._models[batch.model]
        if replaced := bins.use(self._references.of(batch.model)):
            self._registry.forget(model_name=batch.model, profile=replaced)
        model = (batch.model, batch.version)
        self._introduce(model, bins)
        for kind, columns in (("feature", batch.features), ("output", batch.outputs)):
            for name, column in columns.items():
                given = bins.given.get((kind, name))
                if given is not None:
                    self._count((*model, kind, name), given, column, bins.profile)
                elif (grid := self._grid(batch.model, kind, column)) is not None:
                    self._count((*model, kind, name), grid, column, GRID)

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def _grid(self, model: str, kind: str, column: CleanColumn) -> ExportedBins | None:
        expectation = self._policies.of(model).expectations.get(column.name) if kind == "feature" else None
        return grid_bins(column.type, kind, expectation.values if expectation else None)

    def _count(self, key: tuple[str, ...], bins: ExportedBins, column: CleanColumn, profile: str) -> None:
        counts = bins.counts(column)
        filled = counts.nonzero()[0]
        for i, count in zip(filled.tolist(), counts[filled].tolist(), strict=True):
            labels = (*key, bins.labels[i], profile)
            if labels not in self._rows.values:
                for label in _appearing(bins, i):
                    self._rows.add(0, *key, label, profile)
            self._rows.add_to(labels, count)

    def _introduce(self, model: tuple[str, str], bins: _ModelBins) -> None:
        """Everything that a reference says, once for each version of its model."""
        reference, profile = bins.reference, bins.profile
        if reference is None or (*model, profile, reference.source) in self._info.values:
            return
        if not self._info.fits():
            return  # or all of it would be said anew with each batch
        self._info.set(1, *model, profile, reference.source)
        for (kind, name), given in bins.given.items():
            self._reference_rows.set(_column_rows(reference, kind, name), *model, kind, name, profile)
            for label, share in zip(given.labels, given.shares, strict=True):
                self._rows.add(0, *model, kind, name, label, profile)
                self._ratio.set(share, *model, kind, name, label, profile)


def _appearing(bins: ExportedBins, i: int) -> tuple[str, ...]:
    """The bins that are at zero from the first row in bin `i` on: all of them, or, of sparse ones, the
    neighbours and those of null and invalid values, so that a shift moves into series that exist."""
    if not bins.sparse:
        return bins.labels
    return tuple(dict.fromkeys((*bins.labels[max(i - 1, 0) : i + 2], *bins.labels[-2:])))


def _given_bins(reference: Reference) -> dict[_Column, ExportedBins]:
    """The exported bins of a reference, by kind and label-safe name."""
    columns = [("feature", p) for p in reference.features.values()]
    columns += [("output", p) for p in reference.outputs.values()]
    found = {(kind, clean(profile.name)): reference_bins(profile) for kind, profile in columns}
    return {key: bins for key, bins in found.items() if bins is not None}


def _column_rows(reference: Reference, kind: str, name: str) -> int:
    columns = reference.features if kind == "feature" else reference.outputs
    return next((p.rows for p in columns.values() if clean(p.name) == name), reference.rows)
