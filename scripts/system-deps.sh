#!/usr/bin/env bash
# Installs the programs that the end-to-end tests need, where that is possible: Debian or Ubuntu, as root
# or with a sudo that asks nothing. Elsewhere it says what is left out; with CI=true that is a failure.
set -euo pipefail

declare -A package_of=(
    [prometheus]=prometheus
    [promtool]=prometheus
    [prometheus-alertmanager]=prometheus-alertmanager
    [amtool]=prometheus-alertmanager
    [iptables]=iptables
    [ip]=iproute2
    [curl]=curl
    [strace]=strace
    [systemd-analyze]=systemd
)

missing() {
    for program in "${!package_of[@]}"; do
        command -v "$program" >/dev/null || echo "${package_of[$program]}"
    done | sort -u
}

leave_out() {
    echo "left out: the end-to-end tests need $(missing | paste -sd' ') ($1)" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

[ -z "$(missing)" ] && exit 0
command -v apt-get >/dev/null || leave_out "only Debian's packages are installed automatically"

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    leave_out "try: sudo apt-get install $(missing | paste -sd' ')"
fi

# Debian starts what it installs. Nobody asked for a Prometheus on port 9090: a policy forbids it while we
# install, and systemd is told not to do it at the next boot either.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
mapfile -t packages < <(missing)
echo "installing ${packages[*]}" >&2
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2; }
apt update || true # an old list of packages may do
apt install -y --no-install-recommends "${packages[@]}" || leave_out "apt-get could not install them"
[ -z "$(missing)" ] || leave_out "they were installed but cannot be found"
if [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now "${packages[@]}" >&2 || true
fi
