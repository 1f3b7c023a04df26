#!/usr/bin/env bash
# Fail the deployment unless what was just started serves: this very version, through nginx, with its database and
# storage, and the job runner beside it. The platform itself waits for nothing, and calls a dead application a success.
set -euo pipefail

origin=http://127.0.0.1:80
pid_file=/var/pids/jobs.pid
ready_seconds=90
jobs_seconds=30
# How long the job runner must have been the same process: one that dies at its start is started again at once.
steady_seconds=3
warm_ups=40
# Made here, as nothing that looks like a token may lie in a bundle.
unknown_token=fst_$(printf 'w%.0s' $(seq 43))

fail() {
    echo "Fastier: $1; the deployment fails" >&2
    exit 1
}

# The answer's body, with its status on a line of its own; 000 and curl's own reason where there is none.
ask() {
    curl --silent --show-error --max-time 5 --write-out '\n%{http_code}' "$@" 2>&1 || true
}

wait_until_ready() {
    local deadline=$((SECONDS + ready_seconds)) answer
    until answer=$(ask "$origin/health/ready") && [[ "$answer" == *$'\n200' ]]; do
        ((SECONDS < deadline)) || fail "not ready after $ready_seconds s: ${answer//$'\n'/ }"
        look_at_jobs
        sleep 0.5
    done
}

# Workers open their first connections, and load what they load late, before the load balancer sends anybody. Which of
# them takes a request is chance, hence so many, side by side. A token that nobody has is looked up in the database, if
# it has the form of one.
warm_up() {
    local number
    for number in $(seq "$warm_ups"); do
        ask --output /dev/null --header "Authorization: Bearer $unknown_token" "$origin/api/v1/me" >/dev/null &
        ((number % 8 != 0)) || wait
    done
    wait
    ask --output /dev/null "$origin/api/v1/openapi.json" >/dev/null
}

# A web server that did not stop, or did not take the new code, would answer as well.
check_version() {
    local expected answer
    expected=$(sed -n 's/.*"commit": *"\([^"]*\)".*/\1/p' fastier/build.json)
    [[ -n "$expected" ]] || fail "fastier/build.json names no commit"
    answer=$(ask "$origin/version")
    [[ "$answer" == *"\"commit\":\"$expected\""*$'\n200' ]] ||
        fail "this bundle is commit $expected, and what serves says: ${answer//$'\n'/ }"
}

# The pid of the job runner, or nothing. The platform writes the file when it starts what Procfile calls jobs; its
# number may have gone to another process since.
jobs_pid() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) && [[ "$pid" =~ ^[0-9]+$ ]] || return 0
    [[ "$(cat "/proc/$pid/cmdline" 2>/dev/null | tr '\0' ' ')" != *'fastier jobs'* ]] || echo "$pid"
}

# Note which process the job runner is, and since when; it is looked at from the beginning, since the web application
# takes most of these seconds to become ready anyway.
look_at_jobs() {
    local now
    now=$(jobs_pid)
    if [[ "$now" != "$runner" ]]; then
        runner=$now
        seen_at=$(milliseconds)
    fi
}

milliseconds() {
    local now=${EPOCHREALTIME//[!0-9]/}
    echo $((now / 1000))
}

wait_for_jobs() {
    local deadline=$((SECONDS + jobs_seconds))
    while look_at_jobs; [[ -z "$runner" ]] || (($(milliseconds) - seen_at < steady_seconds * 1000)); do
        ((SECONDS < deadline)) || fail "the job runner does not stay up, see /var/log/jobs.stdout.log"
        sleep 0.2
    done
}

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
runner='' seen_at=0
look_at_jobs
wait_until_ready
warm_up
check_version
wait_for_jobs
echo "Fastier: ready, serving and running jobs"
