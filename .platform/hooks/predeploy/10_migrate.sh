#!/usr/bin/env bash
# Bring the database to this bundle's schema before its code serves. Every instance runs this, and an advisory lock
# lets one of them at a time do the work; a database that is there already, or further, is left as it is. The old
# version still serves meanwhile, so a migration must suit both.
set -euo pipefail

fail() {
    echo "Fastier: $1; this version is not deployed" >&2
    exit 1
}

# The bundle that this hook lies in: staging when code is deployed, current when only the configuration is.
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# Named in full, because python3 on PATH may be the system's 3.9, which has none of our packages.
shopt -s nullglob
pythons=(/var/app/venv/*/bin/python)
((${#pythons[@]} == 1)) || fail "there are ${#pythons[@]} Python environments in /var/app/venv instead of one"

# Files that root compiles would belong to root within the application's folder.
export PYTHONDONTWRITEBYTECODE=1
# Shorter than the deployment's own patience, so that this message is the last one in the log.
status=0
timeout --kill-after=10 600 "${pythons[0]}" -m fastier database upgrade || status=$?
((status != 124)) || fail "the migration took more than 600 s and was stopped"
((status == 0)) || fail "the migration failed with status $status, see the lines above"
