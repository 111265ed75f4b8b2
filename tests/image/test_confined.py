"""What the image promises, held without a container engine: a root of its own, read-only, no /tmp, no shell.

Not the image itself: Python and the dependencies are those of this environment, bound into an empty root.
"""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

import sidecar

PACKAGE = Path(sidecar.__file__).parent

# $1 becomes the root. What is bound is read-only; there is nothing to write to but what the kernel makes.
SCRIPT = """
set -e
ip link set lo up
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir -p opt/python opt/site opt/ours/sidecar proc dev usr/lib usr/lib64 etc
mount --bind "$PYTHON_HOME" opt/python && mount -o remount,bind,ro opt/python
mount --bind "$SITE" opt/site && mount -o remount,bind,ro opt/site
mount --bind "$PACKAGE" opt/ours/sidecar && mount -o remount,bind,ro opt/ours/sidecar
mount --bind /usr/lib usr/lib && mount -o remount,bind,ro usr/lib
[ -d /usr/lib64 ] && mount --bind /usr/lib64 usr/lib64 && mount -o remount,bind,ro usr/lib64
ln -s usr/lib lib && ln -s usr/lib64 lib64
mount -t proc proc proc && mount --bind /dev dev
echo "hello from the model" >opt/answer
mount -o remount,ro "$1"
become() {
    # Python may have been built to look for its library where it is not in this root.
    exec env LD_LIBRARY_PATH=/opt/python/lib chroot . /opt/python/bin/"$PYTHON_NAME" -c '
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.setgroups([]); os.setgid(65532); os.setuid(65532)
libc.prctl(38, 1, 0, 0, 0)  # no new privileges
os.environ.update(PYTHONPATH="/opt/ours:/opt/site", PYTHONDONTWRITEBYTECODE="1", PATH="/opt/python/bin")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])' "$@"
}
confined() { ( become "$@" ); }
become -m http.server 8000 --bind 127.0.0.1 --directory /opt >/dev/null 2>&1 &
model=$!
become -m sidecar run --upstream 127.0.0.1:8000 &
sidecar=$!
trap 'kill -9 $model $sidecar 2>/dev/null' EXIT
for _ in $(seq 150); do confined -m sidecar probe --ready 2>/dev/null && break; sleep 0.1; done
confined -m sidecar probe --ready && echo ready
confined -c '
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:18080/answer").read().decode(), end="")'
confined -c '
import os, tempfile
try: tempfile.mkdtemp(); print("could write")
except OSError: print("nothing to write to")
print("shell" if os.path.exists("/bin/sh") or os.path.exists("/usr/bin/sh") else "no shell", os.getuid())'
kill -TERM $sidecar
wait $sidecar && echo "left in order"
confined -m sidecar probe 2>/dev/null || echo "probe says that it is gone"
"""


@pytest.mark.e2e
def test_it_runs_as_nobody_in_particular_on_a_read_only_root_without_tmp_or_shell(tmp_path: Path) -> None:
    missing = [tool for tool in ("unshare", "mount", "chroot", "ip") if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs root and {missing}")
        pytest.skip(f"needs root and {missing}")
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "bash", "-c", SCRIPT, "confined", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "PYTHON_HOME": sys.base_prefix,
            "PYTHON_NAME": f"python{sys.version_info[0]}.{sys.version_info[1]}",
            "SITE": site.getsitepackages()[0],
            "PACKAGE": str(PACKAGE),
            "SIDECAR_DRAIN__GRACE": "100ms",
            "SIDECAR_DRAIN__DEADLINE": "2s",
        },
    )
    assert done.stdout.splitlines() == [
        "ready",
        "hello from the model",
        "nothing to write to",
        "no shell 65532",
        "left in order",
        "probe says that it is gone",
    ], done.stderr
