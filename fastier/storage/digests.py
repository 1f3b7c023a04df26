"""The digests that S3 keeps of an object, computed on the fly where a folder takes S3's place."""

import base64
import hashlib

from fastier.storage.protocol import ChecksumKind


class Digest:
    """An MD5, which is S3's ETag, and one checksum, over bytes as they come."""

    def __init__(self, kind: ChecksumKind) -> None:
        self.kind: ChecksumKind = kind
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._crc = 0

    def update(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        if self.kind == "SHA256":
            self._sha256.update(chunk)
        else:
            # Only a developer's machine has this library: on S3 the checksum is S3's.
            from awscrt.checksums import crc64nvme

            self._crc = crc64nvme(chunk, self._crc)

    @property
    def etag(self) -> str:
        return f'"{self._md5.hexdigest()}"'

    @property
    def checksum(self) -> str:
        """In base64, as S3 shows it."""
        raw = self._sha256.digest() if self.kind == "SHA256" else self._crc.to_bytes(8)
        return base64.b64encode(raw).decode()


def etag_of_parts(etags: list[str]) -> str:
    """S3's ETag of an object made of parts: the MD5 of their MD5s, and their number."""
    joined = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f'"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"'
