"""`sidecar demo` run to its end. Its tests are a file each, since files are what goes side by side."""

import json
import os
import subprocess
import sys

INCIDENT = ["null_surge", "shift", "slow_and_failing", "recovery"]


def demo(*arguments: str, **environment: str) -> tuple[int, dict, str]:
    """Exit code, the last line of standard output as JSON, and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "demo", "--headless", *arguments],
        capture_output=True, text=True, timeout=200, env={**os.environ, **environment},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines, f"exit {done.returncode}:\n{done.stderr}"
    return done.returncode, json.loads(lines[-1]), done.stderr
