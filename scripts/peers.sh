#!/usr/bin/env bash
# Installs the programs of tests/peers: .venv-peers/NAME for each NAME, with the versions of
# tests/peers/versions/NAME.txt. One environment each: some of them cannot even be imported together. Fails when
# one cannot be installed, so that no test is left out unnoticed.
#
#   scripts/peers.sh NAME…          install
#   scripts/peers.sh --lock NAME…   choose the versions again, from NAME.in
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
versions=tests/peers/versions
home=.venv-peers
# MLServer takes no newer one. Where there is none of these, uv fetches one.
python='>=3.11,<3.13'
# An index that pip was told of is meant for us, too.
export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-https://pypi.org/simple}}

# With pip all of this takes fifteen minutes, with uv less than two.
uv=$home/uv/bin/uv
if [ ! -x "$uv" ]; then
    mkdir -p "$home"
    scripts/make-venv.sh "$home/uv"
    "$home/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9
fi

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate \
        --custom-compile-command "scripts/peers.sh --lock $1" --output-file "$versions/$1.txt" "$versions/$1.in"
}

install() {
    local environment=$home/$1 stamp=$home/$1/.installed
    if [ -e "$stamp" ] && [ ! "$versions/$1.txt" -nt "$stamp" ]; then return; fi
    echo "installing $1 into $environment"
    "$uv" venv --quiet --clear --python-preference system --python "$python" "$environment"
    "$uv" pip install --quiet --python "$environment/bin/python" --requirement "$versions/$1.txt"
    touch "$stamp"
}

action=install
if [ "${1:-}" = --lock ]; then
    action=lock
    shift
fi
for name in "$@"; do
    if [ ! -e "$versions/$name.in" ]; then
        echo "no peer is called $name; there are: $(basename -s .in "$versions"/*.in | paste -sd' ')" >&2
        exit 1
    fi
    "$action" "$name"
done
