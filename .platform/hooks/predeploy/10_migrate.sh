#!/usr/bin/env bash
# Bring the database to what this bundle's code needs before it serves. Every instance runs this, and an advisory lock
# lets one of them at a time do the work; a database that is there already, or further, is left as it is. The old
# version still serves meanwhile, so only migrations that suit both are run; see docs/migrations.md.
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

# database SECONDS WHAT ACTION: shorter than the deployment's own patience, so that its message is the last in the log.
database() {
    local status=0
    timeout --kill-after=10 "$1" "${pythons[0]}" -m fastier database "$3" || status=$?
    ((status != 124)) || fail "$2 took more than $1 s and was stopped"
    ((status == 0)) || fail "$2 failed with status $status, see the lines above"
}

# Who migrates and who serves are roles of their own, which the master user makes or mends.
if [[ "${FASTIER_DB_ROLES:-}" == derived ]]; then
    # It waits for an instance that migrates at the moment, as the migration itself does.
    database 320 "making the database's roles" roles
fi
database 530 "the migration" upgrade
