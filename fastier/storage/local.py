"""Files in a folder, for development: what S3Storage does, with signed addresses of this application's own."""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastier.storage.addresses import Addresses, is_key
from fastier.storage.digests import Digest, etag_of_parts
from fastier.storage.disposition import content_disposition
from fastier.storage.files import disk, new_file, write_json
from fastier.storage.protocol import (
    DOWNLOAD_SECONDS,
    MOST_DELETED,
    MOST_READ,
    UPLOAD_SECONDS,
    ObjectMissing,
    Part,
    SignedRequest,
    StorageUnavailable,
    StoredObject,
    Upload,
)

CHUNK = 64 * 1024
_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class LocalStorage:
    """Objects beneath `path`, each with a file of facts beside it; everything is written to a new file and renamed."""

    def __init__(self, path: Path, secret_key: str, public_url: str, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.addresses = Addresses(secret_key, public_url, clock)
        self._objects = path / "objects"
        self._facts = path / "facts"
        self._uploads = path / "uploads"

    def prepare(self) -> None:
        """There is nothing that takes long."""

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
        return self.addresses.sign("GET", key, DOWNLOAD_SECONDS, {"type": content_type, "disposition": disposition})

    def _presign_put(self, key: str, headers: dict[str, str], parameters: dict[str, str]) -> SignedRequest:
        return SignedRequest("PUT", self.addresses.sign("PUT", key, UPLOAD_SECONDS, parameters), headers)

    def start_multipart(self, key: str, *, content_type: str) -> str:
        upload_id = secrets.token_urlsafe(16)
        with disk():
            self._upload(upload_id).mkdir(parents=True)
            write_json(self._upload(upload_id) / "facts", {"key": key, "content_type": content_type})
        return upload_id

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        with self._unfinished(key, upload_id):
            # A glob of a folder that is gone would find nothing, and say nothing.
            names = [path.name for path in self._upload(upload_id).iterdir()]
            numbers = sorted(int(name[5:]) for name in names if name.startswith("part-"))
            return [self._part(upload_id, number) for number in numbers]

    def _part(self, upload_id: str, number: int) -> Part:
        path = self.part_path(upload_id, number)
        etag = path.with_name(f"etag-{number}").read_text()
        return Part(number, path.stat().st_size, etag)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        try:
            with self._unfinished(key, upload_id) as facts:
                if not set(parts) <= set(self.list_parts(key, upload_id)):
                    raise ObjectMissing("InvalidPart")
                self._join(key, facts["content_type"], upload_id, parts)
                self._forget(upload_id)
        except ObjectMissing as missing:
            # An earlier call, or another at the same time, may have made the object.
            if missing.args != ("NoSuchUpload",) or self.head(key) is None:
                raise

    def _join(self, key: str, content_type: str, upload_id: str, parts: Sequence[Part]) -> None:
        digest = Digest("CRC64NVME")
        with new_file(self.object_path(key)) as target:
            for part in parts:
                with self.part_path(upload_id, part.number).open("rb") as source:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        target.write(chunk)
            self.write_facts(key, content_type, digest, etag_of_parts([part.etag for part in parts]))

    def abort_multipart(self, key: str, upload_id: str) -> None:
        try:
            with self._unfinished(key, upload_id):
                self._forget(upload_id)
        except ObjectMissing:
            return

    def _forget(self, upload_id: str) -> None:
        # Renamed first, so that others find the whole upload or none of it, and only one of two gets here.
        folder = self._upload(upload_id)
        gone = folder.rename(folder.with_name(f".{upload_id}"))
        shutil.rmtree(gone, ignore_errors=True)

    def head(self, key: str) -> StoredObject | None:
        with disk():
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
            facts["etag"],
        )

    def read_start(self, key: str, length: int) -> bytes:
        with disk():
            try:
                with self.object_path(key).open("rb") as source:
                    return source.read(min(length, MOST_READ))
            except FileNotFoundError:
                raise ObjectMissing(key) from None

    def delete(self, keys: Sequence[str]) -> None:
        assert len(keys) <= MOST_DELETED, "S3 takes no more at once"
        with disk():
            for key in keys:
                self.object_path(key).unlink(missing_ok=True)
                self._facts_path(key).unlink(missing_ok=True)

    def list_objects(self, prefix: str, *, after: str, limit: int) -> list[StoredObject]:
        with disk():
            paths = (path for path in self._objects.rglob("*") if path.is_file() and not path.name.startswith("."))
            keys = sorted(path.relative_to(self._objects).as_posix() for path in paths)
        wanted = [key for key in keys if key.startswith(prefix) and key > after][:limit]
        return [found for key in wanted if (found := self.head(key)) is not None]

    def list_multiparts(self, limit: int) -> list[Upload]:
        with disk():
            there = self._uploads.iterdir() if self._uploads.exists() else ()
            folders = sorted(folder for folder in there if _UPLOAD_ID.fullmatch(folder.name))[:limit]
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
        with disk():
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise StorageUnavailable("the folder cannot be written")

    def object_path(self, key: str) -> Path:
        """Where an object lies; the key's form keeps it beneath the folder."""
        if not is_key(key):
            raise ValueError("not a key")
        return self._objects / key

    def part_path(self, upload_id: str, number: int) -> Path:
        return self._upload(upload_id) / f"part-{number}"

    def has_upload(self, key: str, upload_id: str) -> bool:
        try:
            with self._unfinished(key, upload_id):
                return True
        except ObjectMissing:
            return False

    def write_facts(self, key: str, content_type: str, digest: Digest, etag: str) -> None:
        facts = {"content_type": content_type, "checksum": digest.checksum, "checksum_kind": digest.kind, "etag": etag}
        write_json(self._facts_path(key), facts)

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Serves the signed addresses; for paths that begin with PREFIX."""
        from fastier.storage.local_http import serve

        return serve(self, environ, start_response)

    def _facts_path(self, key: str) -> Path:
        return self._facts / f"{self.object_path(key).relative_to(self._objects)}.json"

    def _upload(self, upload_id: str) -> Path:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise ObjectMissing("NoSuchUpload")
        return self._uploads / upload_id

    @contextmanager
    def _unfinished(self, key: str, upload_id: str) -> Iterator[dict[str, str]]:
        """The upload's facts; ObjectMissing when it is over, or ends while the block runs."""
        with disk():
            try:
                facts: dict[str, str] = json.loads((self._upload(upload_id) / "facts").read_text())
                if facts["key"] != key:
                    raise ObjectMissing("NoSuchUpload")
                yield facts
            except FileNotFoundError:
                raise ObjectMissing("NoSuchUpload") from None
