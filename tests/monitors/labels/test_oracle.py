"""Labels and predictions in any order, against an account of them that is kept without any of the cleverness.

The oracle knows every prediction by its id, in a dict, and works each metric out by counting pairs.
"""

import json
import random
from collections import Counter
from itertools import count, product
from math import sqrt

import pytest

from sidecar import catalog_labels
from sidecar.inference import ModelRef
from sidecar.monitors.labels.joining import Labels
from sidecar.monitors.labels.memory import Memory
from sidecar.monitors.labels.values import NOTHING, key_of, value_of
from sidecar.monitors.labels.waiting import Given
from sidecar.observer import saved_labels
from sidecar.policy import Judgement, ModelPolicy, Policies
from sidecar.registry import Registry
from tests.fakes import exchange, inference

MODELS = {name: ModelRef(name, "1") for name in ("flags", "scores", "prices")}
POLICIES = Policies(models={"prices": ModelPolicy(judgement=Judgement(task="regression"))})
WAIT = 60.0
# So little that segments are closed and made one several times, and enough for all.
ROOM = 160_000


class Oracle:
    """What should become of everything, one label at a time."""

    def __init__(self):
        self.rows = {}  # (id, row): model, prediction
        self.labelled = set()
        self.early = {}  # id: labels that wait, with the time they came
        self.pairs = {model: [] for model in MODELS}
        self.states = Counter()

    def predict(self, identity, model, predictions, now):
        for row, prediction in enumerate(predictions):
            self.rows[identity, row] = model, prediction
        for row, label, came in self.early.pop(identity, ()):
            assert now - came <= WAIT
            self.label(identity, row, label, now)

    def label(self, identity, row, label, now):
        if (identity, row) in self.labelled:
            self.states["duplicate"] += 1
        elif (identity, row) in self.rows:
            model, prediction = self.rows[identity, row]
            self.matched(identity, row, model, prediction, label)
        else:
            self.early.setdefault(identity, []).append((row, label, now))

    def bring(self, identity, row, model, prediction, label):
        if (identity, row) in self.labelled:
            self.states["duplicate"] += 1
        else:
            self.matched(identity, row, model, prediction, label)

    def matched(self, identity, row, model, prediction, label):
        self.labelled.add((identity, row))
        self.states["matched"] += 1
        self.pairs[model].append((prediction, label))

    def expire(self, now):
        for identity in list(self.early):
            left = [each for each in self.early[identity] if now - each[2] <= WAIT]
            self.states["unknown"] += len(self.early[identity]) - len(left)
            self.early[identity] = left
            if not left:
                del self.early[identity]

    def restart(self):
        self.early.clear()  # a minute is not worth a file

    def figures(self, model):
        pairs = self.pairs[model][-1000:]
        return {"flags": _classes, "scores": _scores, "prices": _numbers}[model](pairs)


def _classes(pairs):
    hits = sum(p == y == 1 for p, y in pairs)
    claims, cases = sum(p for p, _ in pairs), sum(y for _, y in pairs)
    return {
        "accuracy": sum(p == y for p, y in pairs) / len(pairs),
        "precision": hits / claims,
        "recall": hits / cases,
        "f1": 2 * hits / (claims + cases),
    }


def _scores(pairs):
    yes, no = [p for p, y in pairs if y == 1], [p for p, y in pairs if y == 0]
    wins = sum((a > b) + (a == b) / 2 for a, b in product(yes, no))
    return {
        **_classes([(int(p >= 0.5), y) for p, y in pairs]),
        "roc_auc": wins / (len(yes) * len(no)),
        "brier": sum((p - y) ** 2 for p, y in pairs) / len(pairs),
    }


def _numbers(pairs):
    off = [p - y for p, y in pairs]
    return {
        "mae": sum(map(abs, off)) / len(off),
        "rmse": sqrt(sum(d * d for d in off) / len(off)),
        "bias": sum(off) / len(off),
    }


class World:
    """The sidecar's labels and the oracle, told the same."""

    def __init__(self, seed):
        self.chance, self.now, self.numbers = random.Random(seed), 1_000.0, count()
        self.oracle, self.registry = Oracle(), Registry()
        self.labels = self.new_labels()
        self.known, self.brought = [], []  # id, model, predictions with their truths

    def new_labels(self):
        return Labels(
            self.registry, POLICIES, float, lambda name, _: MODELS.get(name), Memory(ROOM, 1e6), wait=WAIT
        )

    def step(self):
        kinds = [self.predict] * 8 + [self.label] * 10 + [self.bring] * 2 + [self.tick] * 2 + [self.early] * 2
        self.chance.choice(kinds)()
        if self.chance.random() < 0.002:
            self.restart()

    def invent(self):
        model, rows = self.chance.choice(list(MODELS)), self.chance.choice((1, 2, 7, 12))
        return f"r{next(self.numbers)}", model, [self.pair(model) for _ in range(rows)]

    def pair(self, model):
        if model == "prices":
            truth = self.chance.uniform(1, 100)
            return truth + self.chance.gauss(1, 5), truth
        truth = int(self.chance.random() < 0.4)
        if model == "flags":
            return (truth if self.chance.random() < 0.8 else 1 - truth), truth
        return round(min(max(self.chance.gauss(0.3 + 0.4 * truth, 0.2), 0.001), 0.999), 2), truth

    def predict(self, request=None):
        identity, model, pairs = request or self.invent()
        self.known.append((identity, model, pairs))
        predictions = [p for p, _ in pairs]
        said = inference(model=model, outputs={"y": predictions}, x=[0.0] * len(pairs))
        said.request_id = identity
        self.labels.observe(exchange(at=self.now, duration=0.0), said)
        self.oracle.predict(identity, model, predictions, self.now)

    def label(self):
        """Several labels in one post, some of them again, some of requests that nobody saw."""
        self.labels.tick(self.now)  # the oracle's predictions meet early labels at once
        post = []
        for _ in range(self.chance.choice((1, 3, 20))):
            recent = self.known[-60:] if self.chance.random() < 0.8 else self.known
            if not recent or self.chance.random() < 0.02:
                nobody = f"never{next(self.numbers)}"
                post.append(Given(len(post), (value_of(1),), key_of(nobody)))
                self.oracle.label(nobody, 0, 1, self.now)
                continue
            post += self.labels_of(*self.chance.choice(recent), len(post))
        self.labels.take(post, self.now)

    def labels_of(self, identity, model, pairs, at):
        truths, key = [y for _, y in pairs], key_of(identity)
        if self.chance.random() < 0.5:
            row = self.chance.randrange(len(pairs))
            self.oracle.label(identity, row, truths[row], self.now)
            named = row if len(pairs) > 1 or self.chance.random() < 0.5 else None
            said = self.chance.choice((str(truths[row]), truths[row]))  # as a text, it is the same
            return [Given(at, (value_of(said),), key, named, model=self.chance.choice(("", model)))]
        values = [NOTHING if self.chance.random() < 0.2 else value_of(y) for y in truths]
        for row, value in enumerate(values):
            if value != NOTHING:
                self.oracle.label(identity, row, truths[row], self.now)
        return [Given(at, tuple(values), key, all_rows=True)] if set(values) != {NOTHING} else []

    def bring(self):
        """Labels with their predictions: of some that went by, and of some that never did."""
        post = []
        for _ in range(self.chance.choice((1, 5))):
            where = self.known if self.chance.random() < 0.5 else self.brought
            if not where or self.chance.random() < 0.5:
                where = self.brought
                where.append(self.invent())
            identity, model, pairs = self.chance.choice(where[-50:])
            for row, (prediction, truth) in enumerate(pairs):
                for _ in range(self.chance.choice((1, 1, 2))):
                    post.append(
                        Given(
                            len(post), (value_of(truth),), key_of(identity), row, model=model,
                            prediction=value_of(prediction), time=self.now - 5,
                        )
                    )  # fmt: skip
                    self.oracle.bring(identity, row, model, prediction, truth)
        self.labels.take(post, self.now)

    def early(self):
        """Labels that come before their prediction, which comes at once, later or never."""
        request = self.invent()
        self.labels.tick(self.now)
        self.labels.take(self.labels_of(*request, 0), self.now)
        if self.chance.random() < 0.8:
            self.now += self.chance.uniform(0, 3)
            self.expire()
            self.predict(request)

    def tick(self):
        self.now += self.chance.uniform(0, 8)
        self.expire()

    def expire(self):
        self.labels.tick(self.now)
        self.oracle.expire(self.now)

    def restart(self):
        document = json.loads(json.dumps(saved_labels.encoded(self.labels.state())))
        self.labels = self.new_labels()
        self.labels.restore(saved_labels.decoded(document))
        self.oracle.restart()

    def counted(self):
        states = ("matched", "duplicate", "unknown")
        return {state: self.registry.value("inference_labels_total", state=state) for state in states}

    def metrics(self, model):
        found = {}
        for name in ("inference_quality_ratio", "inference_quality_value"):
            for (of, _, metric), value in self.registry.gauge(_METRICS[name]).values.items():
                if of == model:
                    found[metric] = value
        return found


_METRICS = {metric.name: metric for metric in (catalog_labels.QUALITY_RATIO, catalog_labels.QUALITY_VALUE)}


@pytest.mark.parametrize("seed", range(6))
def test_labels_in_any_order_are_counted_and_judged_as_by_hand(seed):
    world = World(seed)
    for at in range(1_500):
        world.step()
        if at % 300 == 299:
            world.labels.tick(world.now)
            world.registry.snapshot()
            assert world.counted() == {state: world.oracle.states[state] for state in world.counted()}
            for model in MODELS:
                assert world.metrics(model) == pytest.approx(world.oracle.figures(model), abs=1e-12), model
    assert min(len(pairs) for pairs in world.oracle.pairs.values()) > 1_000  # some left the window
    assert world.registry.value("inference_labels_total", state="pending_expired") == 0


@pytest.mark.parametrize("seed", range(6))
def test_every_row_is_labelled_waits_or_left(seed):
    """Where there is little room, or time, no row is lost and none is counted twice."""
    chance, registry = random.Random(seed), Registry()
    labels = Labels(
        registry,
        Policies(),
        float,
        lambda name, _: MODELS.get(name),
        Memory(chance.choice((3_000, 40_000)), 500),
    )
    rows, now, open_rows = 0, 1_000.0, []
    labels.take([Given(0, (value_of(1),), None, model="flags", prediction=value_of(1))], now)  # expect some
    for number in range(3_000):
        now += chance.choice((0, 0, 1, 40))
        said = inference(model="flags", outputs={"y": [1] * chance.choice((1, 2, 9))})
        said.request_id, said.rows = f"r{number}", len(said.outputs[0].values)
        labels.observe(exchange(at=now, duration=0.0), said)
        rows += said.rows
        open_rows += [(key_of(said.request_id), row) for row in range(said.rows)]
        if chance.random() < 0.3:
            some = [
                open_rows.pop(-1 - int(chance.expovariate(0.01)) % len(open_rows))
                for _ in range(2)
                if open_rows
            ]
            labels.take([Given(0, (value_of(1),), key, row) for key, row in some], now)
        if chance.random() < 0.2:
            labels.tick(now)
    registry.snapshot()
    counted = {
        state: registry.value("inference_labels_total", state=state)
        for state in ("matched", "pending_expired")
    }
    assert counted["pending_expired"] > 0
    waits = registry.value("sidecar_labels_pending", kind="prediction")
    assert counted["matched"] - 1 + counted["pending_expired"] + waits == rows
