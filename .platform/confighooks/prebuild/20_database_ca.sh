#!/usr/bin/env bash
# A changed environment property can ask for the authorities' certificates, and a configuration change runs these alone.
set -euo pipefail

# Named by its interpreter: the platform marks only what it runs itself as executable.
exec bash "$(dirname "${BASH_SOURCE[0]}")/../../hooks/prebuild/20_database_ca.sh"
