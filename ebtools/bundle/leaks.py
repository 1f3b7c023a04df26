"""Finds what looks like a secret, so that none is sent to AWS and into every version kept there."""

import re

_PATTERNS: dict[str, re.Pattern[bytes]] = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "an AWS secret key": re.compile(
        rb"(?i)aws_secret_access_key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
    ),
    "a Fastier token": re.compile(rb"\bfst_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    "a GitHub token": re.compile(rb"\bgh[opsu]_[A-Za-z0-9]{36}\b"),
}
# AWS's own made-up keys say so.
_MADE_UP = b"EXAMPLE"

_NAMES = re.compile(
    r"(?:^|/)(?:\.env(?:\..+)?|\.netrc|\.pgpass|\.pypirc|id_(?:rsa|ed25519|ecdsa)|.+\.(?:pem|p12|pfx|key))$"
)


def in_file(path: str, content: bytes) -> list[str]:
    """A sentence for each kind of secret that this file seems to hold; it repeats nothing of the secret."""
    found = [f"{path} looks like a file of secrets by its name"] if _NAMES.search(path) else []
    for kind, pattern in _PATTERNS.items():
        real = [match for match in pattern.finditer(content) if not match.group().endswith(_MADE_UP)]
        if real:
            line = content.count(b"\n", 0, real[0].start()) + 1
            found.append(f"{path}:{line} holds what looks like {kind}")
    return found
