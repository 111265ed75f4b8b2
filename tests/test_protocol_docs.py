"""docs/protocols.md says something of every protocol, and what it points at is there."""

import re
from pathlib import Path

import pytest

from sidecar import decoders
from sidecar.config import load
from sidecar.decoders.payload import Payload

PAGE = Path(__file__).parents[1] / "docs" / "protocols.md"
TEXT = PAGE.read_text()
READ, TESTED = TEXT.split("## The tests that show it")
NAMES = [decoder.name for decoder in decoders.ALL]


@pytest.mark.parametrize("name", NAMES)
def test_every_decoder_has_its_row_in_the_tables(name):
    assert re.search(rf"^\| `{name}` \|", READ, re.MULTILINE)


@pytest.mark.parametrize("name", [*NAMES, Payload.name])
def test_every_protocol_names_its_tests(name):
    assert re.search(rf"^\| `{name}` \| \[test_", TESTED, re.MULTILINE)


def test_no_protocol_is_described_that_nobody_reads():
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \|", TEXT, re.MULTILINE)) - {"protocol"}
    assert rows == {*NAMES, Payload.name}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT))))
def test_links_lead_somewhere(target):
    assert (PAGE.parent / target).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", TEXT))))
def test_files_that_are_named_exist(path):
    assert (PAGE.parents[1] / path).exists()


def test_the_payload_that_is_shown_is_a_configuration(tmp_path):
    [example] = re.findall(r"```yaml\n(payload:.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "sidecar.yaml"
    file.write_text(example)
    fraud, general = load(str(file), {}, {}).payload_rules()
    assert (fraud.paths, fraud.for_model, general.features) == (("/fraud/*",), "fraud", ("age", "income"))


@pytest.mark.parametrize(
    "file", sorted(Path(__file__).parent.glob("peers/versions/*.in")), ids=lambda file: file.stem
)
def test_what_was_verified_has_the_versions_that_are_installed(file):
    pins = re.findall(r"^([a-z-]+)(?:\[[a-z]+\])?==([0-9.]+)$", file.read_text(), re.MULTILINE)
    assert pins
    for name, version in pins:
        assert f"{name} {version}" in TEXT


def test_what_ci_runs_of_the_peers_is_marked_so():
    root = Path(__file__).parents[1]
    [named] = re.findall(r"^PEERS \?= (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    marked = re.findall(r"^\| .* \| yes \|$", TEXT, re.MULTILINE)
    assert len(marked) == len(named.split())
    assert "make test-peers" in (root / ".ci" / "run").read_text()
