"""Finds what looks like a secret, so that none is sent to AWS and into every version kept there."""

import re
from dataclasses import dataclass

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
_PATTERN_FILES = re.compile(r"\.(?:example|sample|template|dist|defaults?)$")
_CERTIFICATE, _PRIVATE = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Leak:
    """What a file seems to hold, and in which line; 0 where its name says so."""

    kind: str
    line: int


def find(path: str, content: bytes) -> list[Leak]:
    """One for each kind of secret that this file seems to hold; it repeats nothing of the secret."""
    found = [Leak("secrets by its name", 0)] if _NAMES.search(path) and not _is_harmless(path, content) else []
    for kind, pattern in _PATTERNS.items():
        real = [match for match in pattern.finditer(content) if not match.group().endswith(_MADE_UP)]
        if real:
            found.append(Leak(kind, content.count(b"\n", 0, real[0].start()) + 1))
    return found


def in_file(path: str, content: bytes) -> list[str]:
    """The same as sentences."""
    return [
        f"{path}:{leak.line} holds what looks like {leak.kind}"
        if leak.line
        else f"{path} looks like a file of {leak.kind}"
        for leak in find(path, content)
    ]


def _is_harmless(path: str, content: bytes) -> bool:
    """A pattern to fill in, or a bundle of certificates, which are public."""
    return bool(_PATTERN_FILES.search(path)) or (_CERTIFICATE in content and _PRIVATE not in content)
