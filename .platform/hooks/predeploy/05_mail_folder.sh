#!/usr/bin/env bash
# Make the folder of FASTIER_MAIL=files: hooks run as root, and the application as webapp, which may not make it.
set -euo pipefail

if [[ "${FASTIER_MAIL:-files}" == files && -n "${FASTIER_MAIL_PATH:-}" ]]; then
    install -d -m 0700 -o webapp -g webapp "$FASTIER_MAIL_PATH"
fi
