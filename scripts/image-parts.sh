#!/usr/bin/env bash
# Makes what goes into the image, in dist/: the wheel, the exact versions that it is installed with, and their
# bill of materials (CycloneDX). Needs $1, a Python, and the package index; no container engine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${1:-python3}
# Old wheels would go into the image, too.
rm -rf dist/*.whl dist/constraints.txt dist/sbom.cdx.json
mkdir -p dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pip=("$python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" wheel --no-deps --wheel-dir dist .

# A clean environment, as the image will have: what is resolved here is what is installed there.
"$python" -m venv "$work/clean"
clean=("$work/clean/bin/python" -m pip --disable-pip-version-check --quiet)
"${clean[@]}" install --only-binary=:all: dist/*.whl
"${clean[@]}" freeze --exclude inference-sidecar --exclude pip --exclude setuptools >dist/constraints.txt
"${clean[@]}" uninstall --yes pip setuptools

# The tool looks at the clean environment from outside, so that it does not list itself.
"$python" -m venv "$work/tool"
"$work/tool/bin/python" -m pip --disable-pip-version-check --quiet install cyclonedx-bom==7.5.0
"$work/tool/bin/cyclonedx-py" environment --output-reproducible --output-format JSON --validate \
    --pyproject pyproject.toml --output-file dist/sbom.cdx.json "$work/clean/bin/python"
echo "dist: $(cd dist && echo *.whl), constraints.txt ($(wc -l <dist/constraints.txt) versions), sbom.cdx.json"
