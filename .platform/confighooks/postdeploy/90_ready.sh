#!/usr/bin/env bash
# A configuration change restarts the application, and a wrong property can keep it down as well as wrong code can.
set -euo pipefail

exec bash "$(dirname "${BASH_SOURCE[0]}")/../../hooks/postdeploy/90_ready.sh"
