"""What each values file of ci/ renders to, committed: read its diff as a reviewer, then accept it.

`python -m tests.helm.goldens` writes them (`make gen` does).
"""

from pathlib import Path

from tests.helm.rendering import CHART, CI_VALUES, manifests, values

DIRECTORY = Path(__file__).parent / "golden"


def golden(name: str) -> str:
    """One text: every template in order, with what is copied from files/ left to its generator."""
    parts = []
    for template, text in manifests(values(name)).items():
        lines = [line.rstrip() for line in _without_copies(text).splitlines() if line.strip()]
        if lines:
            parts.append("\n".join((f"#### {template}", *lines)))
    return "\n\n".join(parts) + "\n"


def _without_copies(text: str) -> str:
    for path in sorted(CHART.glob("files/*/*.*")):
        for indent in (2, 4):
            body = path.read_text().rstrip("\n").replace("\n", "\n" + " " * indent)
            text = text.replace(f"\n{' ' * indent}{body}", f"\n{' ' * indent}({path.relative_to(CHART)})")
    return text


def main() -> None:
    """Write them all, and remove those whose values file is gone."""
    DIRECTORY.mkdir(exist_ok=True)
    for path in DIRECTORY.glob("*.txt"):
        if path.stem not in CI_VALUES:
            path.unlink()
    for name in CI_VALUES:
        (DIRECTORY / f"{name}.txt").write_text(golden(name))


if __name__ == "__main__":
    main()
