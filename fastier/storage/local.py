"""Files in a folder, for development: what S3Storage does, with signed addresses of this application's own."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from fastier.storage.disposition import content_disposition
from fastier.storage.protocol import (
    DOWNLOAD_SECONDS,
    MOST_DELETED,
    MOST_READ,
    UPLOAD_SECONDS,
    ChecksumKind,
    ObjectMissing,
    Part,
    SignedRequest,
    StorageUnavailable,
    StoredObject,
    Upload,
)

PREFIX = "/storage/"
CHUNK = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", re.ASCII)
_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signed address allows: one method on one key until a moment, with these parameters."""

    method: str
    key: str
    expires: int
    parameters: dict[str, str]

    def signature(self, secret_key: str) -> str:
        said = json.dumps([self.method, self.key, self.expires, sorted(self.parameters.items())])
        digest = hmac.digest(secret_key.encode(), b"storage:" + said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class LocalStorage:
    """Objects beneath `path`, each with a file of facts beside it; everything is written to a new file and renamed."""

    def __init__(self, path: Path, secret_key: str, public_url: str) -> None:
        self.path = path
        self._secret_key = secret_key
        self._public_url = public_url
        self._objects = path / "objects"
        self._facts = path / "facts"
        self._uploads = path / "uploads"

    def presign_put(self, key: str, *, content_type: str, size: int, checksum: str | None) -> SignedRequest:
        headers = {"Content-Type": content_type, "Content-Length": str(size)}
        if checksum is not None:
            headers["x-amz-checksum-sha256"] = checksum
        return self._presign_put(key, headers, {"type": content_type, "size": str(size), "sha256": checksum or ""})

    def presign_part(self, key: str, upload_id: str, number: int, size: int) -> SignedRequest:
        parameters = {"upload": upload_id, "part": str(number), "size": str(size)}
        return self._presign_put(key, {"Content-Length": str(size)}, parameters)

    def presign_get(self, key: str, *, file_name: str, content_type: str, inline: bool) -> str:
        disposition = content_disposition(file_name, inline=inline)
        return self._signed("GET", key, DOWNLOAD_SECONDS, {"type": content_type, "disposition": disposition})

    def _presign_put(self, key: str, headers: dict[str, str], parameters: dict[str, str]) -> SignedRequest:
        return SignedRequest("PUT", self._signed("PUT", key, UPLOAD_SECONDS, parameters), headers)

    def _signed(self, method: str, key: str, seconds: int, parameters: dict[str, str]) -> str:
        grant = Grant(method, key, int(time.time()) + seconds, parameters)
        query = {**parameters, "expires": grant.expires, "signature": grant.signature(self._secret_key)}
        return f"{self._public_url}{PREFIX}{quote(key)}?{urlencode(query)}"

    def grant(self, method: str, key: str, query: dict[str, str]) -> Grant | None:
        """What the address allows; None when it was not signed here for this method, or has expired."""
        given = query.pop("signature", "")
        expires = query.pop("expires", "")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and _KEY.fullmatch(key)):
            return None
        grant = Grant("GET" if method == "HEAD" else method, key, int(expires), query)
        signed = hmac.compare_digest(grant.signature(self._secret_key).encode(), given.encode())
        return grant if signed and grant.expires >= time.time() else None

    def start_multipart(self, key: str, *, content_type: str) -> str:
        upload_id = secrets.token_urlsafe(16)
        with _disk():
            self._upload(upload_id).mkdir(parents=True)
            _write_json(self._upload(upload_id) / "facts", {"key": key, "content_type": content_type})
        return upload_id

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        self._upload_facts(key, upload_id)
        numbers = sorted(int(path.name[5:]) for path in self._upload(upload_id).glob("part-*"))
        return [self._part(upload_id, number) for number in numbers]

    def _part(self, upload_id: str, number: int) -> Part:
        path = self.part_path(upload_id, number)
        etag = path.with_name(f"etag-{number}").read_text()
        return Part(number, path.stat().st_size, etag)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        try:
            facts = self._upload_facts(key, upload_id)
        except ObjectMissing:
            if self.head(key) is None:
                raise
            return
        if any(self._part(upload_id, part.number) != part for part in parts):
            raise ObjectMissing("a part is not what it was said to be")
        with _disk():
            self._join(key, facts["content_type"], [self.part_path(upload_id, part.number) for part in parts])
            shutil.rmtree(self._upload(upload_id))

    def _join(self, key: str, content_type: str, paths: list[Path]) -> None:
        # Only a developer's machine has this library: on S3 the checksum is S3's.
        from awscrt.checksums import crc64nvme

        checksum = 0
        with self.new_file(self.object_path(key)) as target:
            for path in paths:
                with path.open("rb") as source:
                    while chunk := source.read(CHUNK):
                        checksum = crc64nvme(chunk, checksum)
                        target.write(chunk)
            encoded = base64.b64encode(checksum.to_bytes(8)).decode()
            self.write_facts(key, content_type, encoded, "CRC64NVME")

    def abort_multipart(self, key: str, upload_id: str) -> None:
        with _disk():
            shutil.rmtree(self._upload(upload_id), ignore_errors=True)

    def head(self, key: str) -> StoredObject | None:
        with _disk():
            try:
                found = self.object_path(key).stat()
                facts = json.loads(self._facts_path(key).read_text())
            except FileNotFoundError:
                return None
        return StoredObject(
            key,
            found.st_size,
            datetime.fromtimestamp(found.st_mtime, UTC),
            facts["content_type"],
            facts["checksum"],
            facts["checksum_kind"],
        )

    def read_start(self, key: str, length: int) -> bytes:
        with _disk():
            try:
                with self.object_path(key).open("rb") as source:
                    return source.read(min(length, MOST_READ))
            except FileNotFoundError:
                raise ObjectMissing(key) from None

    def delete(self, keys: Sequence[str]) -> None:
        assert len(keys) <= MOST_DELETED, "S3 takes no more at once"
        with _disk():
            for key in keys:
                self.object_path(key).unlink(missing_ok=True)
                self._facts_path(key).unlink(missing_ok=True)

    def list_objects(self, prefix: str, *, after: str, limit: int) -> list[StoredObject]:
        with _disk():
            paths = (path for path in self._objects.rglob("*") if path.is_file() and not path.name.startswith("."))
            keys = sorted(path.relative_to(self._objects).as_posix() for path in paths)
        wanted = [key for key in keys if key.startswith(prefix) and key > after][:limit]
        return [found for key in wanted if (found := self.head(key)) is not None]

    def list_multiparts(self, limit: int) -> list[Upload]:
        with _disk():
            folders = sorted(self._uploads.iterdir())[:limit] if self._uploads.exists() else []
            return [
                Upload(
                    json.loads((folder / "facts").read_text())["key"],
                    folder.name,
                    datetime.fromtimestamp((folder / "facts").stat().st_mtime, UTC),
                )
                for folder in folders
                if (folder / "facts").exists()
            ]

    def check(self) -> None:
        with _disk():
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise StorageUnavailable("the folder cannot be written")

    def object_path(self, key: str) -> Path:
        """Where an object lies; the key's form keeps it beneath the folder."""
        if not _KEY.fullmatch(key):
            raise ValueError("not a key")
        return self._objects / key

    def part_path(self, upload_id: str, number: int) -> Path:
        return self._upload(upload_id) / f"part-{number}"

    def has_upload(self, key: str, upload_id: str) -> bool:
        try:
            self._upload_facts(key, upload_id)
        except ObjectMissing:
            return False
        return True

    def write_facts(self, key: str, content_type: str, checksum: str, kind: ChecksumKind) -> None:
        facts = {"content_type": content_type, "checksum": checksum, "checksum_kind": kind}
        _write_json(self._facts_path(key), facts)

    @contextmanager
    def new_file(self, path: Path) -> Iterator[BinaryIO]:
        """A file that takes its place when the block ends well, and vanishes when it does not."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with unfinished.open("xb") as target:
                yield target
                target.flush()
                os.fsync(target.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Serves the signed addresses; for paths that begin with PREFIX."""
        from fastier.storage.local_http import serve

        return serve(self, environ, start_response)

    def _facts_path(self, key: str) -> Path:
        return self._facts / f"{self.object_path(key).relative_to(self._objects)}.json"

    def _upload(self, upload_id: str) -> Path:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise ObjectMissing(upload_id)
        return self._uploads / upload_id

    def _upload_facts(self, key: str, upload_id: str) -> dict[str, str]:
        with _disk():
            try:
                facts: dict[str, str] = json.loads((self._upload(upload_id) / "facts").read_text())
            except FileNotFoundError:
                raise ObjectMissing(upload_id) from None
        if facts["key"] != key:
            raise ObjectMissing(upload_id)
        return facts


@contextmanager
def _disk() -> Iterator[None]:
    """A disk that fails is a store that does not answer."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the disk said {os.strerror(error.errno or 0)}") from error


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    unfinished.write_text(json.dumps(value))
    unfinished.replace(path)


def etag_of(digest: "hashlib._Hash") -> str:
    """An MD5 as S3 shows it: it only names a version, and protects nothing."""
    return f'"{digest.hexdigest()}"'
