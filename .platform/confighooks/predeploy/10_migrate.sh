#!/usr/bin/env bash
# A changed environment property can name another database, which needs the schema before the application restarts.
set -euo pipefail

exec bash "$(dirname "${BASH_SOURCE[0]}")/../../hooks/predeploy/10_migrate.sh"
