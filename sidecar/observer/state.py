"""What an observer knows, kept in a directory so that the next one goes on from there.

Three files. `counters.json` is written before every answer that shows counters (a scrape, an OTLP export),
into the page cache: a killed observer then never goes on from less than it has shown, which Prometheus
would take for a reset and count anew. `monitors.json` holds references, learnt and being learnt, what drift
and data quality are judged by, and problems that stand; it and the counters are written to the disk every
minute, when a reference was learnt, and at the end. `labels.json` holds the predictions that wait for
labels, as numbers and hashes; it is written every minute while it is small, less often as it grows, and at
the end.

Snapshots are taken on the loop, everything else happens in a thread, one at a time. Nothing here raises: what
cannot be kept is counted, and traffic goes on. What it is not: a place for values of rows. The trap: after
the machine itself went down, the page cache is lost; counters then start from zero, which is honest.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sidecar import catalog, clock
from sidecar.counting import counted
from sidecar.errors import ConfigError, said
from sidecar.metric import Metric
from sidecar.monitors import drift_state
from sidecar.monitors.exported_bins import GRID
from sidecar.observer import saved_labels, saved_series
from sidecar.observer.pipeline import Pipeline
from sidecar.profiles import learn_state, store
from sidecar.profiles.state_file import MAX_BYTES, Directory, Unusable, dump, reason_of
from sidecar.reference import Reference
from sidecar.registry import Labels, Snapshot

log = logging.getLogger("sidecar")

# A crash of the machine costs a minute of drift evidence: a micro-batch a second loses what 60 took to see.
SAVE_SECONDS = 60.0
# A scrape may wait this long for its counters to be kept; Prometheus gives it ten seconds in all.
KEEP_SECONDS = 0.5
COUNTERS, COUNTERS_SCHEMA = "counters.json", "inference-sidecar/counters/v1"
MONITORS, MONITORS_SCHEMA = "monitors.json", "inference-sidecar/monitors/v1"
LABELS, LABELS_SCHEMA = "labels.json", "inference-sidecar/labels/v1"
# What waits for labels is 4 MB for some 90,000 predictions, written each minute (or just before it is over),
# and 42 MB at most, every ten: a killed observer forgets what came since, and a disk of any kind bears it.
LABELS_SECONDS, LABELS_BYTES_A_SECOND = SAVE_SECONDS - 10, 70_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class State:
    """Restores at the start, saves as time goes by. Without a directory it does nothing."""

    def __init__(self, directory: str | None, pipeline: Pipeline) -> None:
        self._directory = Directory(directory) if directory else None
        self._pipeline = pipeline
        self._failures = pipeline.registry.counter(catalog.STATE_SAVE_FAILURES)
        for reason in catalog.STATE_SAVE_FAILURES.closed["reason"]:
            self._failures.add(0, reason)
        # One thread: what is asked for first is written first, also when nobody waits for it any more.
        self._thread = ThreadPoolExecutor(1, "state") if directory else None
        self._keeping: set[asyncio.Future[None]] = set()
        self._failing: dict[str, str] = {}  # by file: why
        self._learnt: frozenset[str] = frozenset()
        self._labels_saved, self._labels_bytes = clock.monotonic(), 0

    # --- at the start ----------------------------------------------------------------------------

    def restore(self) -> None:
        """Go on from what is there. Before any traffic; reads some megabytes at most."""
        if self._directory is None or not self._taken():
            return
        # Drift first: a model it judges anew has no detections yet, a restored one gets them back below.
        self._restore_file(MONITORS, MONITORS_SCHEMA, self._restore_monitors)
        self._restore_file(COUNTERS, COUNTERS_SCHEMA, self._restore_counters)
        self._restore_file(LABELS, LABELS_SCHEMA, self._restore_labels)
        self._learnt = frozenset(self._pipeline.references.learnt())

    def _taken(self) -> bool:
        assert self._directory is not None
        try:
            if self._directory.open():
                return True
            self._failed("in_use", "another observer keeps its state there")
        except OSError as error:
            self._failed(reason_of(error), _why(error))
        return False

    def _restore_file(self, name: str, schema: str, take: Callable[[Any], None]) -> None:
        assert self._directory is not None
        try:
            document = self._directory.read(name, schema)
            if document is not None:
                take(document)
        except Unusable as error:
            self._set_aside(name, error.reason, str(error))
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            self._directory.set_aside(name)
            self._set_aside(name, "corrupt", str(error))
        except OSError as error:
            self._failed(reason_of(error), _why(error))

    def _restore_monitors(self, document: Any) -> None:
        found: dict[str, Reference] = {}
        for model, reference in document["references"].items():
            found[model] = store.from_json(reference, f"the reference learnt of {model}")
        # Monotonic time then, as of now's clock: the wall clock ties the two.
        shift = float(document["wall"]) - float(document["monotonic"]) - (clock.wall() - clock.monotonic())
        now, pipeline = clock.monotonic(), self._pipeline
        pipeline.references.restore(found)
        learning = pipeline.references.go_on_learning(document.get("learning", {}))
        for model, columns in learning.items():
            for column in columns:
                pipeline.rows.go_on(model, *column)
        went_on = pipeline.drift.restore(document["drift"], lambda at: at + shift, now)
        pipeline.quality.restore(document.get("quality", {}), now)
        pipeline.problems.restore(document.get("problems", []), lambda at: at + shift)
        learnt, models = counted(len(found), "learnt reference"), counted(len(went_on), "model")
        log.info("state: %s, %d being learnt, drift of %s goes on", learnt, len(learning), models)

    def _restore_labels(self, document: Any) -> None:
        self._pipeline.labels.restore(saved_labels.decoded(document))

    def _restore_counters(self, document: Any) -> None:
        if not document["clean"] and document["boot"] != _boot_id():
            log.warning("state: the machine went down with counters unsaved; they start again from zero")
            return
        count = saved_series.restore(document["series"], self._pipeline.registry, self._wanted)
        self._pipeline.introduce_restored()
        observer = self._pipeline.observer
        restored = saved_series.Restored(self._pipeline.registry, clock.monotonic())
        observer.expiring = (*observer.expiring, restored)
        log.info("state: going on with %d series", count)

    def _wanted(self, metric: Metric, labels: Labels) -> bool:
        """Not the bins of a reference that is no longer in use: nobody would ever take them away."""
        if "profile" not in metric.labels:
            return True
        profile = labels[metric.labels.index("profile")]
        reference = self._pipeline.references.of(labels[0])
        return profile == GRID or (reference is not None and reference.profile == profile)

    # --- as time goes by -------------------------------------------------------------------------

    async def keep(self, snapshot: Snapshot) -> None:
        """Keep the counters that are about to be shown; gives up waiting when the disk is slow.

        Call it before anything else is awaited after the snapshot: files are written in that order.
        """
        if self._directory is None:
            return
        kept = asyncio.ensure_future(self._write_counters(snapshot, sync=False, clean=False))
        self._keeping.add(kept)  # asyncio itself holds it weakly
        kept.add_done_callback(self._keeping.discard)
        done, _ = await asyncio.wait([kept], timeout=KEEP_SECONDS)
        if not done:
            self._failed("slow", f"a scrape was answered after {KEEP_SECONDS:g} s without it", COUNTERS)

    async def run(self) -> None:
        """Save every minute, and when a reference was learnt, until cancelled."""
        if self._directory is None:
            return
        waited = 0.0
        while True:
            await asyncio.sleep(1.0)
            waited += 1.0
            learnt = frozenset(self._pipeline.references.learnt())
            if waited >= SAVE_SECONDS or learnt != self._learnt:
                waited, self._learnt = 0.0, learnt
                await self.save(self._pipeline.registry.snapshot())

    async def save(self, snapshot: Snapshot, *, clean: bool = False) -> None:
        """Save everything to the disk. `clean`: nothing more will be counted."""
        if self._directory is None:
            return
        monitors = self._monitors()
        # First the counters: in the order of their snapshots, or newer ones would be overwritten.
        await self._write_counters(snapshot, sync=True, clean=clean)
        await self._write(MONITORS, lambda: dump(MONITORS_SCHEMA, _encoded(monitors)), sync=True)
        wait = max(LABELS_SECONDS, self._labels_bytes / LABELS_BYTES_A_SECOND)
        if clean or clock.monotonic() - self._labels_saved >= wait:
            self._labels_saved = clock.monotonic()
            labels = self._pipeline.labels.state()
            await self._write(LABELS, lambda: self._of_labels(labels), sync=True)

    async def close(self, snapshot: Snapshot, within: float) -> None:
        """Save everything for the last time, and let go of the directory."""
        directory, thread = self._directory, self._thread
        if directory is None or thread is None:
            return
        try:
            async with asyncio.timeout(within):
                await self.save(snapshot, clean=True)
                self._directory = None  # who still scrapes sees what was saved just now
                await asyncio.get_running_loop().run_in_executor(thread, directory.close)
        except TimeoutError:
            self._directory = None
            self._failed("slow", f"the last save took longer than {within:g} s")
        thread.shutdown(wait=False)

    def _monitors(self) -> dict[str, Any]:
        """On the loop: copies of everything that changes."""
        references = self._pipeline.references.learnt()
        return {
            "wall": clock.wall(),
            "monotonic": clock.monotonic(),
            "references": {model: store.to_json(reference) for model, reference in references.items()},
            "drift": self._pipeline.drift.state(),
            "learning": self._pipeline.references.learning(),
            "quality": self._pipeline.quality.state(),
            "problems": self._pipeline.problems.state(),
        }

    async def _write_counters(self, snapshot: Snapshot, *, sync: bool, clean: bool) -> None:
        def data() -> bytes:
            series = saved_series.document(snapshot)
            return dump(COUNTERS_SCHEMA, {"boot": _boot_id(), "clean": clean, "series": series})

        await self._write(COUNTERS, data, sync=sync)

    def _of_labels(self, labels: dict[str, Any]) -> bytes:
        """In the one thread that writes."""
        data = dump(LABELS_SCHEMA, saved_labels.encoded(labels))
        self._labels_bytes = len(data)
        return data

    async def _write(self, name: str, data: Callable[[], bytes], *, sync: bool) -> None:
        loop = asyncio.get_running_loop()
        assert self._directory is not None
        failure = await loop.run_in_executor(self._thread, _store, self._directory, name, data, sync)
        if failure is not None:
            self._failed(*failure, name)
        elif self._failing.get(name) != "slow" and self._failing.pop(name, ""):
            # Slow is how a busy machine's disk comes and goes: said once, or it would be said at each scrape.
            log.info("state: %s is saved again", name)

    def _failed(self, reason: str, what: str, name: str = "") -> None:
        """Count each time, say it once."""
        self._failures.add(1, reason)
        if self._failing.get(name) != reason:
            self._failing[name] = reason
            log.error("state: %s cannot be saved (%s): %s; traffic goes on", name or "it", reason, what)

    def _set_aside(self, name: str, reason: str, what: str) -> None:
        self._failures.add(1, reason)
        log.error("state: %s cannot be used: %s; set aside as %s.bad, starting anew", name, what, name)


def _store(directory: Directory, name: str, data: Callable[[], bytes], sync: bool) -> tuple[str, str] | None:
    """Write a file; returns why it could not. In the one thread that writes."""
    try:
        if not directory.open():
            return "in_use", "another observer keeps its state there"
        written = data()
        if len(written) > MAX_BYTES:
            raise ValueError(f"larger than the {MAX_BYTES} bytes that would be read")
        directory.write(name, written, sync=sync)
    except Exception as error:
        if name == COUNTERS:
            # They are older than what is shown: better none than counters that go back.
            directory.remove(name)
        if isinstance(error, OSError):
            return reason_of(error), _why(error)
        return "other", f"{type(error).__name__}: {error}"  # a fault of ours must cost no scrape
    return None


def _why(error: OSError) -> str:
    return f"{said(error)}: {error.filename}" if error.filename else said(error)


def _encoded(monitors: dict[str, Any]) -> dict[str, Any]:
    drift = {name: drift_state.encoded(saved) for name, saved in monitors["drift"].items()}
    return {**monitors, "drift": drift, "learning": learn_state.encoded(monitors["learning"])}


def _boot_id() -> str:
    """Another one after each start of the machine; "" where there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
