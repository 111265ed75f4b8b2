"""Write everything that is generated and committed: `python -m sidecar.generators [--check]`.

Run from the root of the repository (`make gen`). With `--check` nothing is written; what differs is
named and the exit code is 1.
"""

import sys
from pathlib import Path

from sidecar.generators import chart, config_docs, dashboards, files, interception_docs, metric_docs, rules


def main(arguments: list[str], root: Path) -> int:
    """Write, or with `--check` compare; returns the exit code."""
    outputs = {
        root / "alert-rules": rules.generate(),
        root / "dashboards": dashboards.generate(),
        root / "docs": {
            **config_docs.generate(),
            "kubernetes.md": interception_docs.insert(root / "docs" / "kubernetes.md"),
        },
        root / "docs" / "metrics": metric_docs.generate(),
        **chart.generate(root / "helm" / "inference-sidecar"),
    }
    if "--check" not in arguments:
        for directory, texts in outputs.items():
            files.write(directory, texts)
        return 0
    stale = [d / name for d, texts in outputs.items() for name in files.differences(d, texts)]
    for path in stale:
        print(f"{path} differs from its generator: run `make gen` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
