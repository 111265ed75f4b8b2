"""The dependencies are few, bounded, and never older than a version known to be unsafe."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {r.name: r for r in map(Requirement, PROJECT["dependencies"])}

# Below these, a known vulnerability can be reached with traffic or from a collector.
SECURITY_FLOORS = {
    "aiohttp": "3.14.3",
    "brotli": "1.2.0",
    "hpack": "4.2.0",
    "orjson": "3.11.6",
    "protobuf": "6.33.5",
}

# Licences that we cannot ship beside, and weight that no sidecar should carry.
NEVER = ("pandas", "scikit-learn", "torch", "alibi-detect", "deepchecks")


def _floor(requirement: Requirement) -> Version:
    return max(Version(s.version) for s in requirement.specifier if s.operator in (">=", "==", "~=", ">"))


@pytest.mark.parametrize(("name", "floor"), SECURITY_FLOORS.items())
def test_no_installed_version_is_below_its_security_floor(name, floor):
    assert Version(version(name)) >= Version(floor)


@pytest.mark.parametrize(("name", "floor"), SECURITY_FLOORS.items())
def test_no_version_below_a_security_floor_may_be_installed(name, floor):
    assert _floor(REQUIREMENTS[name]) >= Version(floor)
    assert not REQUIREMENTS[name].specifier.contains("0.0.1")


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_dependency_has_a_floor_and_what_is_installed_is_in_its_range(name):
    assert _floor(REQUIREMENTS[name]) > Version("0")
    assert REQUIREMENTS[name].specifier.contains(version(name), prereleases=True)


def test_nothing_heavy_or_under_a_foreign_licence_is_depended_on():
    extras = [Requirement(r) for group in PROJECT["optional-dependencies"].values() for r in group]
    names = {r.name.lower() for r in [*REQUIREMENTS.values(), *extras]}
    assert names.isdisjoint(NEVER)
