"""What the documentation points at is there: files, headings, commands with their flags, targets of make.

Commands are only parsed here, not run; what they do has tests of its own.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar import cli
from sidecar.config import Settings, load

ROOT = Path(__file__).parents[1]
NOT_OURS = {".venv", ".venv-peers", "node_modules", "dist"}
PAGES = [
    page
    for page in sorted(ROOT.rglob("*.md"))
    if not any(part in NOT_OURS or part.startswith(".") for part in page.relative_to(ROOT).parts)
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, spaces are hyphens, other signs go, repeated ones are numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.append(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return {f"{one}-{n}" if n else one for i, one in enumerate(found) for n in [found[:i].count(one)]}


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if not re.match(r"[a-z]+:", target):
                yield name(page), target


def commands() -> Iterator[tuple[str, str]]:
    """Every line that begins with `sidecar` and a word, in fences and in code within text."""
    for page in PAGES:
        text = page.read_text()
        lines = [
            line for _, fence in FENCED.findall(text) for line in fence.replace("\\\n", " ").splitlines()
        ]
        lines += [" ".join(code.split()) for code in INLINE.findall(prose(page))]
        for line in lines:
            if re.match(r"(\$ )?sidecar [a-z]", line):
                yield name(page), re.sub(r"^\$ ", "", line)


def test_there_is_something_to_look_at():
    assert len(PAGES) > 30
    assert len(list(links())) > 50
    assert len(list(commands())) > 30


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_links_lead_to_a_file_and_a_heading(page: str, target: str):
    path, _, heading = target.partition("#")
    there = (ROOT / page).parent / path if path else ROOT / page
    assert there.exists()
    if heading and there.suffix == ".md":
        assert heading in anchors(there)


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_exist_with_these_flags(page: str, line: str):
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("…", "...")]
    parser = cli._parser()
    known = {option for one in _subparsers(parser)[words[0]]._actions for option in one.option_strings}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known
    if not complete(line):
        return
    assert parser.parse_args(words).command == words[0]


def complete(line: str) -> bool:
    """Not `sidecar profile` alone, which only names the command, nor one that leaves out or says `a|b`."""
    return not set("…|") & set(line) and len(line.split("#")[0].split()) > 2


def _subparsers(parser: cli._Parser) -> dict[str, cli._Parser]:
    (action,) = (one for one in parser._actions if isinstance(one, cli._Commands))
    return action.choices


@pytest.mark.parametrize(
    "target",
    sorted(
        {found for page in PAGES for found in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.M)}
    ),
)
def test_targets_of_make_exist(target: str):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert target in targets


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (name(page), text)
        for page in PAGES
        for language, text in FENCED.findall(page.read_text())
        if language == "yaml" and re.search(r"^(upstream|ingest|payload|state|reference|routes):", text, re.M)
    ],
)
def test_configurations_are_fine(page: str, text: str, tmp_path: Path):
    path = tmp_path / "sidecar.yaml"
    path.write_text(text)
    load(str(path), {}, {})


SETTINGS = "|".join(Settings.model_fields)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (name(page), text)
        for page in PAGES
        for text in INLINE.findall(prose(page))
        if re.match(rf"({SETTINGS}): *[\[{{]", text)
    ],
)
def test_settings_within_text_are_fine(page: str, text: str, tmp_path: Path):
    path = tmp_path / "sidecar.yaml"
    path.write_text(re.sub(r", …", "", text).replace("…", "x"))
    load(str(path), {}, {})
