"""Checks AWS Signature Version 4 as S3 does: in the Authorization header, or in a presigned address."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from ebtools.s3_endpoint.request import S3Error, WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
TOLERANCE = timedelta(minutes=15)
LONGEST = 7 * 24 * 3600
_HEADER = re.compile(ALGORITHM + r" Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its own signature; `payload` is the body's hash, or a word in its place."""

    credential: str
    signed_headers: list[str]
    signature: str
    timestamp: str
    payload: str
    query: list[tuple[str, str]]

    @property
    def moment(self) -> datetime:
        try:
            return datetime.strptime(self.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise S3Error(403, "AccessDenied", "The request has no valid date.") from None


def verify(request: WireRequest, secret_keys: Mapping[str, str], now: datetime) -> Claim:
    """The request's claim, if it is true at that moment; else S3Error."""
    if request.parameter("X-Amz-Algorithm") == ALGORITHM:
        claim = _presigned(request)
        _check_expiry(request, claim, now)
    else:
        claim = _in_header(request)
        if abs(claim.moment - now) > TOLERANCE:
            raise S3Error(403, "RequestTimeTooSkewed", "The request's time is too far from the server's.")
    _check_signed_headers(request, claim)
    access_key, _, scope = claim.credential.partition("/")
    if access_key not in secret_keys:
        raise S3Error(403, "InvalidAccessKeyId", "There is no such access key.")
    if not hmac.compare_digest(_signature(request, claim, secret_keys[access_key], scope), claim.signature):
        raise S3Error(403, "SignatureDoesNotMatch", "The signature is not that of this request.")
    return claim


def _presigned(request: WireRequest) -> Claim:
    return Claim(
        request.parameter("X-Amz-Credential"),
        request.parameter("X-Amz-SignedHeaders").split(";"),
        request.parameter("X-Amz-Signature"),
        request.parameter("X-Amz-Date"),
        request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        [pair for pair in request.query if pair[0] != "X-Amz-Signature"],
    )


def _in_header(request: WireRequest) -> Claim:
    found = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if not found:
        raise S3Error(403, "AccessDenied", "The request is not signed.")
    credential, signed_headers, signature = found.groups()
    payload = request.headers.get("x-amz-content-sha256", "")
    timestamp = request.headers.get("x-amz-date", "")
    return Claim(credential, signed_headers.split(";"), signature, timestamp, payload, request.query)


def _check_expiry(request: WireRequest, claim: Claim, now: datetime) -> None:
    expires = request.parameter("X-Amz-Expires")
    if not (expires.isascii() and expires.isdigit() and 1 <= int(expires) <= LONGEST):
        raise S3Error(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be from 1 to 604800.")
    if now > claim.moment + timedelta(seconds=int(expires)):
        raise S3Error(403, "AccessDenied", "Request has expired")
    if now < claim.moment - TOLERANCE:
        raise S3Error(403, "AccessDenied", "Request is not valid yet")


def _check_signed_headers(request: WireRequest, claim: Claim) -> None:
    sent = {name for name in request.headers if name == "host" or name.startswith("x-amz-")}
    if unsigned := sorted(sent - set(claim.signed_headers)):
        raise S3Error(403, "AccessDenied", f"There were headers present which were not signed: {', '.join(unsigned)}")


def _signature(request: WireRequest, claim: Claim, secret_key: str, scope: str) -> str:
    digest = hashlib.sha256(_canonical(request, claim).encode()).hexdigest()
    said = "\n".join([ALGORITHM, claim.timestamp, scope, digest])
    key = f"AWS4{secret_key}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, said.encode(), "sha256").hex()


def _canonical(request: WireRequest, claim: Claim) -> str:
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in claim.query)
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in claim.signed_headers]
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            "".join(headers),
            ";".join(claim.signed_headers),
            claim.payload,
        ]
    )
