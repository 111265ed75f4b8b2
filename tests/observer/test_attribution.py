"""Which model an exchange belongs to."""

import pytest

from sidecar.exchange import Outcome
from sidecar.inference import ModelRef
from sidecar.metric import OTHER
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.observer.attribution import ANSWERED_WITHIN_SECONDS, MODELS_LIMIT, VERSIONS_LIMIT, Attribution
from sidecar.policy import ModelPolicy, Policies
from tests.fakes import exchange, inference

FAILED = {"status": 500, "outcome": Outcome.SERVER_ERROR}
NOT_FOUND = {"status": 404, "outcome": Outcome.CLIENT_ERROR}
REFUSED = {"status": None, "outcome": Outcome.UPSTREAM_UNREACHABLE}


class Attributing:
    """An attribution with the two words tests need."""

    def __init__(self, policies=None):
        self.attribution = Attribution(policies or Policies())

    def __call__(self, name="", version="", **how):
        said = inference(model=name, version=version)
        said.error = how.pop("error", "")
        self.attribution.attribute(exchange(**how), said)
        return said.model


def test_what_the_traffic_says_comes_first():
    attribute = Attributing(Policies(model=ModelRef("configured", "9")))
    assert attribute("m", "2") == ModelRef("m", "2")


def test_an_exchange_that_says_nothing_belongs_to_the_configured_model():
    attribute = Attributing(Policies(model=ModelRef("configured", "9")))
    assert attribute(**REFUSED) == ModelRef("configured", "9")


def test_a_failure_without_a_name_belongs_to_the_only_model_its_route_answered_with():
    attribute = Attributing()
    attribute("m", "2")
    assert attribute(**REFUSED) == ModelRef("m", "2")


def test_with_two_models_on_a_route_a_nameless_failure_is_unknown():
    attribute = Attributing()
    attribute("m", "2")
    attribute("n", "1")
    assert attribute(**REFUSED) == ModelRef("unknown", "unknown")


def test_with_two_versions_of_one_model_the_name_is_still_certain():
    attribute = Attributing()
    attribute("m", "1")
    attribute("m", "2")
    assert attribute(**REFUSED) == ModelRef("m", "unknown")


def test_the_memory_of_a_route_lasts_an_hour():
    attribute = Attributing()
    attribute("m", "2", at=0.0, duration=0)
    assert attribute(at=ANSWERED_WITHIN_SECONDS, duration=0, **REFUSED) == ModelRef("m", "2")
    assert attribute(at=ANSWERED_WITHIN_SECONDS + 1, duration=0, **REFUSED) == ModelRef("unknown", "unknown")


def test_exchanges_that_were_attributed_by_memory_do_not_keep_it_alive():
    attribute = Attributing()
    attribute("m", "2", at=0.0)
    attribute(at=3_000.0)
    assert attribute(at=5_000.0) == ModelRef("unknown", "unknown")


def test_a_canary_that_never_answered_is_not_counted_against_the_stable_version():
    attribute = Attributing()
    attribute("m", "1", route="stable")
    assert attribute("m", route="canary", **FAILED) == ModelRef("m", "unknown")
    attribute("m", "2", route="canary")
    assert attribute("m", route="canary", **FAILED) == ModelRef("m", "2")


def test_a_missing_version_is_the_only_one_the_model_answered_with_else_the_configured_one():
    attribute = Attributing(Policies(model=ModelRef("m", "9")))
    assert attribute("m") == ModelRef("m", "9")
    attribute("m", "2")
    assert attribute("m") == ModelRef("m", "2")
    assert attribute("m", **FAILED) == ModelRef("m", "2")


def test_the_configured_version_is_not_given_to_another_model():
    attribute = Attributing(Policies(model=ModelRef("m", "9")))
    assert attribute("other") == ModelRef("other", "unknown")


def test_a_configured_version_without_a_name_is_for_any_model():
    attribute = Attributing(Policies(model=ModelRef("", "9")))
    assert attribute("m") == ModelRef("m", "9")
    assert attribute(**REFUSED) == ModelRef("m", "9")


@pytest.mark.parametrize("how", [NOT_FOUND, FAILED, {"error": "an error inside a 200"}])
def test_an_error_cannot_create_a_model(how):
    attribute = Attributing()
    assert attribute("no-such-model", "1", **how) == ModelRef(OTHER, OTHER)
    assert attribute("no-such-model", "1") == ModelRef("no-such-model", "1")
    assert attribute("no-such-model", "1", **how) == ModelRef("no-such-model", "1")


def test_an_error_cannot_create_a_version_of_a_model_that_exists():
    attribute = Attributing()
    attribute("m", "1")
    assert attribute("m", "77", **NOT_FOUND) == ModelRef("m", OTHER)


def test_a_configured_model_is_known_before_it_ever_answered():
    attribute = Attributing(Policies(models={"m": ModelPolicy(), "*": ModelPolicy()}))
    assert attribute("m", **FAILED) == ModelRef("m", "unknown")
    assert attribute("*", **FAILED) == ModelRef(OTHER, OTHER)


def test_models_and_versions_are_capped_and_configured_ones_keep_their_place():
    attribute = Attributing(Policies(model=ModelRef("configured", "9")))
    names = {attribute(f"m{i}", "1").name for i in range(MODELS_LIMIT * 2)}
    assert len(names) == MODELS_LIMIT + 1
    versions = {attribute("m0", f"{i}").version for i in range(VERSIONS_LIMIT * 2)}
    assert len(versions) == VERSIONS_LIMIT + 1
    assert attribute("configured", **FAILED) == ModelRef("configured", "9")


def test_a_model_unused_for_a_day_is_forgotten_with_its_versions():
    attribute = Attributing()
    attribute("old", "1", at=0.0)
    attribute("m", "1", at=0.0)
    attribute("m", "2", at=50_000.0)
    gone = attribute.attribution.expire(UNUSED_AFTER_SECONDS + 1)
    assert gone == [{"model_name": "old"}, {"model_name": "m", "model_version": "1"}]
    assert attribute("old", "1", at=UNUSED_AFTER_SECONDS + 2, **NOT_FOUND) == ModelRef(OTHER, OTHER)


def test_an_open_exchange_is_named_like_a_finished_one_and_adds_nothing():
    attribute = Attributing()
    attribute("m", "1", route="r")
    model_of = attribute.attribution.model_of
    assert model_of("m", "r", 100.0) == "m"
    assert model_of("", "r", 100.0) == "m"
    assert model_of("new", "r", 100.0) == OTHER
    assert model_of("", "elsewhere", 100.0) == "unknown"


def test_a_name_that_is_no_label_value_becomes_one():
    attribute = Attributing()
    assert attribute("bad\u202ename\n", "1").name == "bad_name_"


def test_who_posts_labels_may_name_a_model_that_answered_or_is_configured_and_no_other():
    attribute = Attributing(Policies(models={"configured": ModelPolicy()}))
    attribute("m", "1")
    known = attribute.attribution.known
    assert known("m", "1") == known("m", "") == ModelRef("m", "1")
    assert known("m", "7") == ModelRef("m", OTHER)
    assert known("configured", "") == ModelRef("configured", "unknown")
    assert known("made-up", "1") is None
    attribute("m", "2")
    assert known("m", "") == ModelRef("m", OTHER)


@pytest.mark.parametrize(
    ("said", "model", "sources"),
    [
        (ModelRef("a", "1"), ModelRef("a", "1"), ("traffic", "traffic")),
        (ModelRef(), ModelRef("churn", "3"), ("configuration", "configuration")),
        (ModelRef(), ModelRef("churn", "4"), ("configuration", "route")),
        (ModelRef(), ModelRef("b", "7"), ("route", "route")),
        (ModelRef("a"), ModelRef("a", "unknown"), ("traffic", "")),
        (ModelRef(), ModelRef("unknown", "unknown"), ("", "")),
        (ModelRef("x"), ModelRef(OTHER, OTHER), ("traffic", "traffic")),
    ],
)
def test_where_a_model_is_from_can_be_asked(said, model, sources):
    attribution = Attribution(Policies(model=ModelRef("churn", "3")))
    assert attribution.sources(said, model) == sources
