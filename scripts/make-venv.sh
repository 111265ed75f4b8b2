#!/usr/bin/env bash
# Makes the virtual environment $1 with the newest suitable Python. On Debian and Ubuntu the package that
# brings venv is installed when it is missing and we may; otherwise it is named.
set -euo pipefail
venv=$1

for python in python3.13 python3.12 python3.11 python3 none; do
    command -v "$python" >/dev/null || continue
    # A shim of pyenv for a version that is not chosen is there, fails and says much about it.
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
if [ "$python" = none ] || ! command -v "$python" >/dev/null; then
    echo "Python 3.11 or newer is needed; on Debian or Ubuntu: sudo apt-get install python3.11 python3.11-venv" >&2
    exit 1
fi

# Half an environment would look like a whole one the next time.
make_venv() { "$python" -m venv --clear "$venv" || { rm -rf "$venv"; exit 1; }; }

if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    make_venv
    exit
fi
package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
if ! command -v apt-get >/dev/null; then
    echo "$python has no venv and ensurepip; install the package of your system that brings them" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "$python has no venv; install it with: sudo apt-get install $package" >&2
    exit 1
fi
echo "installing $package" >&2
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2; }
apt update || true # an old list of packages may do
apt install -y --no-install-recommends "$package"
make_venv
