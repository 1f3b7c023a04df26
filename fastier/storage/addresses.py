"""Signed addresses of local storage: each allows one thing, for a while, and none can be made without the key."""

import base64
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

PREFIX = "/storage/"
_KEY = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", re.ASCII)


def is_key(key: str) -> bool:
    """Whether this may name an object; nothing of this form can leave a folder."""
    return _KEY.fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signed address allows: one method on one key until a moment, with these parameters."""

    method: str
    key: str
    expires: int
    parameters: dict[str, str]


class Addresses:
    """Signs addresses beneath `public_url`, and knows its own again; `clock` tells seconds since 1970."""

    def __init__(self, secret_key: str, public_url: str, clock: Callable[[], float]) -> None:
        self._secret_key = secret_key
        self._public_url = public_url
        self._clock = clock

    def sign(self, method: str, key: str, seconds: int, parameters: dict[str, str]) -> str:
        grant = Grant(method, key, int(self._clock()) + seconds, parameters)
        query = {**parameters, "expires": grant.expires, "signature": self._signature(grant)}
        return f"{self._public_url}{PREFIX}{quote(key)}?{urlencode(query)}"

    def grant(self, method: str, key: str, query: dict[str, str]) -> Grant | None:
        """What the address allows; None when it was not signed here for this method, or has expired."""
        given, expires = query.get("signature", ""), query.get("expires", "")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and is_key(key)):
            return None
        parameters = {name: value for name, value in query.items() if name not in ("signature", "expires")}
        grant = Grant("GET" if method == "HEAD" else method, key, int(expires), parameters)
        is_signed = hmac.compare_digest(self._signature(grant).encode(), given.encode())
        return grant if is_signed and grant.expires >= self._clock() else None

    def _signature(self, grant: Grant) -> str:
        said = json.dumps([grant.method, grant.key, grant.expires, sorted(grant.parameters.items())])
        digest = hmac.digest(self._secret_key.encode(), b"storage:" + said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
