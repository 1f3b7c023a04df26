#!/usr/bin/env bash
# Install the certificates of the authorities that sign for Amazon's databases, without which sslmode=verify-full has
# nothing to verify against. A new bundle is looked at before it takes the place of the one that works.
set -euo pipefail

target=/etc/pki/fastier/rds.pem
# A property can name a mirror, or the bundle of an authority of one's own.
url=${FASTIER_DB_CA_URL:-https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem}

say() {
    echo "Fastier: $1" >&2
}

# Whoever names another file, or none, has no need of this one.
[[ "${PGSSLROOTCERT:-}" == "$target" ]] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

download() {
    curl --silent --show-error --fail --location --proto '=https,http' --proto-redir '=https' --max-filesize 5000000 \
        --connect-timeout 5 --max-time 20 --retry 2 --retry-delay 1 --retry-connrefused \
        --output "$work/new.pem" "$url" 2>"$work/reason"
}

# Whether each certificate in a file is one of an authority, and one at least is valid today; says what is wrong.
check() {
    local file=$1 part valid=0
    rm -rf "$work/parts"
    mkdir "$work/parts"
    awk -v parts="$work/parts" '
        /^-----BEGIN / { if (inside) exit bad = 1; inside = 1; count += 1 }
        inside { print > sprintf("%s/%05d.pem", parts, count) }
        /^-----END /   { if (!inside) exit bad = 1; inside = 0; close(sprintf("%s/%05d.pem", parts, count)) }
        END { exit bad || inside || count == 0 }' "$file" || { echo "it is no list of certificates"; return 1; }
    for part in "$work"/parts/*.pem; do
        local text
        text=$(openssl x509 -in "$part" -noout -ext basicConstraints 2>&1) ||
            { echo "certificate $((10#$(basename "$part" .pem))) cannot be read"; return 1; }
        [[ "$text" == *CA:TRUE* ]] ||
            { echo "certificate $((10#$(basename "$part" .pem))) is not one of an authority"; return 1; }
        if openssl x509 -in "$part" -noout -checkend 0 >/dev/null; then valid=1; fi
    done
    ((valid)) || { echo "every certificate in it has expired"; return 1; }
}

if ! download; then
    reason="$url could not be downloaded ($(tail -n 1 "$work/reason"))"
elif ! reason=$(check "$work/new.pem"); then
    reason="what $url gives is refused: $reason"
else
    install -d -m 0755 "$(dirname "$target")"
    install -m 0644 "$work/new.pem" "$target.new"
    mv -f "$target.new" "$target"
    say "installed $(grep -c '^-----BEGIN ' "$target") certificates of authorities for the database"
    exit 0
fi

if [[ -f "$target" ]] && check "$target" >/dev/null; then
    say "$reason; the installed bundle of $(date -u -r "$target" +%Y-%m-%d) stays"
    exit 0
fi
say "$reason, and none is installed; this version is not deployed"
exit 1
