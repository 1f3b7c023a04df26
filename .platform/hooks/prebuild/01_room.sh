#!/usr/bin/env bash
# Stop before pip begins where it could not end: it installs into the environment that the running version uses, so one
# that breaks off half-way leaves that version with the wrong packages.
set -euo pipefail

# pip takes 145 MiB at its most, and what it installs 130 MiB, with as much again while it unpacks.
memory_needed=160
disk_needed=500

fail() {
    echo "Fastier: $1; this version is not deployed, and nothing was changed" >&2
    exit 1
}

memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
((memory >= memory_needed)) ||
    fail "$memory MiB of memory are free, and pip needs $memory_needed; take a larger instance"

disk=$(df --output=avail --block-size=1M /var/app | awk 'NR == 2 { print $1 }')
((disk >= disk_needed)) || fail "$disk MiB of disk are free, and pip needs $disk_needed; raise RootVolumeSize"

# On a new instance the platform may not have made its environment yet; pip then finds out by itself.
shopt -s nullglob
for python in /var/app/venv/*/bin/python; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old, and 3.11 the oldest that will do; take a newer branch of the platform"
done
