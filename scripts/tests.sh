#!/usr/bin/env bash
# All tests, in three runs, because they need the machine in different ways: tests that compute take all cores,
# tests of whole processes mostly wait and go side by side, tests of CPU quotas and memory limits go alone.
# All three run whatever becomes of the first; arguments go to each. Without arguments a run without a test
# is a failure: nothing may be left out because nothing fits.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Whole processes wait for clocks more than they compute (tests/e2e: 190 s of CPU time in 490 s); with three at once
# a machine of two cores saves another two minutes, and has more moments in which nothing gets its turn.
side_by_side=2
failed=()

run() {
    local name=$1
    shift
    echo "== $name"
    local code=0
    .venv/bin/pytest "$@" || code=$?
    # 5: no test was selected.
    if [ "$code" = 0 ] || { [ "$code" = 5 ] && [ -n "$asked" ]; }; then return; fi
    failed+=("$name")
}

asked="$*"
run "tests that compute" -n auto --dist worksteal -m "not e2e" "$@"
run "tests of whole processes" -n "$side_by_side" --dist loadfile --no-loadscope-reorder -m "e2e and not alone" "$@"
run "tests that need the machine alone" -m alone "$@"
[ ${#failed[@]} = 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
