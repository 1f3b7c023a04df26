#!/usr/bin/env bash
# A changed environment property can name another folder, and a configuration change runs these hooks alone.
set -euo pipefail

# Named by its interpreter: the platform marks only what it runs itself as executable.
exec bash "$(dirname "${BASH_SOURCE[0]}")/../../hooks/predeploy/05_mail_folder.sh"
