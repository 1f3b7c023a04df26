"""Finds the credential in a request (a bearer token or the session cookie) and refuses forged origins."""

import hashlib
import re
from dataclasses import dataclass

from flask import request
from werkzeug.http import dump_cookie

from fastier.errors import Forbidden, Unauthorized
from fastier.settings import Settings

# The prefix lets people and secret scanners recognise a token; the rest is 32 random bytes.
TOKEN_PREFIX = "fst_"
_TOKEN = re.compile(r"fst_[A-Za-z0-9_-]{43}", re.ASCII)
CLIENT_HEADER = "X-Fastier-Client"


@dataclass(frozen=True, slots=True)
class Credential:
    """A token's digest, which is all that is compared and stored, and whether a browser sent it by itself."""

    digest: bytes
    is_cookie: bool


def digest_of(token: str) -> bytes:
    """What is stored of a token; it is random, so that a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


def cookie_name(settings: Settings) -> str:
    return "__Host-fastier" if settings.is_production else "fastier"


def read(settings: Settings) -> Credential | None:
    """The request's credential, None without one; a malformed one is refused as an unknown one would be."""
    if header := request.headers.get("Authorization"):
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
            raise Unauthorized("Send `Authorization: Bearer fst_…` with a token of yours.", code="bad_token")
        return Credential(digest_of(token.strip()), is_cookie=False)
    cookie = request.cookies.get(cookie_name(settings))
    if cookie and _TOKEN.fullmatch(cookie):
        return Credential(digest_of(cookie), is_cookie=True)
    return None


def require_same_origin(settings: Settings) -> None:
    """Refuse a write that another site could have made a browser send."""
    if CLIENT_HEADER not in request.headers:
        raise Forbidden(f"Writes with a cookie need the header {CLIENT_HEADER}.", code="missing_client_header")
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    own = {settings.public_url, f"{request.scheme}://{request.host}"}
    same = site == "same-origin" if site else origin in own
    if not same or (origin and origin not in own):
        raise Forbidden("Writes with a cookie must come from this origin.", code="foreign_origin")


def cookie_header(settings: Settings, token: str, seconds: int) -> dict[str, str]:
    """The `Set-Cookie` header that signs a browser in; an empty token and 0 seconds sign it out."""
    cookie = dump_cookie(
        cookie_name(settings),
        token,
        max_age=seconds,
        path="/",
        secure=settings.is_production,
        httponly=True,
        samesite="Lax",
    )
    return {"Set-Cookie": cookie}
