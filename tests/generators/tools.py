"""Prometheus' and Alertmanager's own checkers; where they are missing a test says so, and fails under CI."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "alert-rules"


def run(tool: str, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run promtool or amtool to its end."""
    path = shutil.which(tool)
    if path is None:
        reason = f"{tool} is not installed (apt-get install prometheus prometheus-alertmanager)"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"CI leaves nothing out: {reason}")
        pytest.skip(reason)
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, timeout=110)
