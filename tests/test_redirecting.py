"""`sidecar redirect`: the rules it makes, with the one capability it needs and nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar import redirecting
from sidecar.errors import SidecarError, UsageError

ROOT = Path(__file__).parents[1]
RULE = "-A PREROUTING -p tcp -m tcp --dport 8000 -j REDIRECT --to-ports 18080"

# As the injected init container is: root, no capability but one, nothing to write to.
SCRIPT = """
set -e
mount -o remount,bind,ro /run 2>/dev/null || true
confined="setpriv --no-new-privs --inh-caps=-all,+net_admin --bounding-set=-all,+net_admin --"
$confined "$PYTHON" -m sidecar redirect --port 8000 --to 18080
$confined "$PYTHON" -m sidecar redirect --port 8000 --to 18080
iptables -t nat -S PREROUTING
$confined "$PYTHON" -m sidecar redirect --port 8000 --to 18080 --remove
$confined "$PYTHON" -m sidecar redirect --port 8000 --to 18080 --remove
iptables -t nat -S PREROUTING
"""


@pytest.mark.e2e
def test_the_rule_is_made_once_and_taken_away_by_one_who_may_nothing_else():
    missing = [tool for tool in ("unshare", "iptables", "setpriv") if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs root and {missing}")
        pytest.skip(f"needs root and {missing}")
    done = subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-c", SCRIPT],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    added = "port 8000 is redirected to 18080"
    removed = "port 8000 is no longer redirected to 18080"
    assert done.stdout.splitlines() == [
        added, added, "-P PREROUTING ACCEPT", RULE, removed, removed, "-P PREROUTING ACCEPT"
    ]  # fmt: skip


def programs(directory: Path, **scripts: str) -> str:
    """A directory to put in PATH, with each script by its name."""
    for name, body in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return str(directory)


def test_without_iptables_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", programs(tmp_path))
    with pytest.raises(SidecarError, match="iptables is not installed"):
        redirecting.redirect(8000, 18080)


def test_a_port_is_not_redirected_to_itself_but_such_a_rule_can_be_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", programs(tmp_path, iptables="exit 0", ip6tables="exit 0"))
    with pytest.raises(UsageError, match=r"^--to: 8000 is the model server's own port; give the port"):
        redirecting.redirect(8000, 8000)
    assert redirecting.redirect(8000, 8000, remove=True) == 0


def test_what_iptables_complains_about_is_passed_on(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", programs(tmp_path, iptables="echo 'you must be root' >&2; exit 4"))
    with pytest.raises(SidecarError, match=r"^iptables: you must be root$"):
        redirecting.redirect(8000, 18080)


def test_a_node_without_ipv6_is_only_warned_about(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", programs(tmp_path, iptables="exit 0", ip6tables="echo 'no table' >&2; exit 3"))
    assert redirecting.redirect(8000, 18080) == 0
    shown = capsys.readouterr()
    assert shown.err == "warning: IPv6 is not redirected: ip6tables: no table\n"
    assert shown.out == "port 8000 is redirected to 18080\n"
