"""What the application needs of a file store: signed addresses for clients, and facts about what they stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

# How long a client may take to begin an upload; one that takes longer asks for new addresses.
UPLOAD_SECONDS = 3600
# A download begins at once; the address is then worth nothing to whoever finds it later.
DOWNLOAD_SECONDS = 300
# The most that is ever read of a file here: its first bytes, which tell its type.
MOST_READ = 4096
MOST_DELETED = 1000

# SHA256 is of an object sent in one piece whose client announced it. Of all others the store itself computes a
# CRC64NVME over the whole, so that a client that sends parts to signed addresses needs no header of its own.
ChecksumKind = Literal["SHA256", "CRC64NVME"]


class StorageUnavailable(Exception):
    """The store did not answer, or refused for a while; the same call may succeed later."""


class ObjectMissing(Exception):
    """There is no such object, or no such unfinished upload."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that a client may send; its headers must be sent exactly as they are."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part of an unfinished upload; `number` counts from 1."""

    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished upload in parts."""

    key: str
    upload_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Facts of a stored object; `checksum` is base64, None where the store knows none of a kind we use."""

    key: str
    size: int
    modified_at: datetime
    content_type: str | None = None
    checksum: str | None = None
    checksum_kind: ChecksumKind | None = None
    etag: str | None = None


class Storage(Protocol):
    """Everything but `prepare` and the `presign_` functions talks to the store, and may raise StorageUnavailable."""

    def prepare(self) -> None:
        """Make what processes can share that are forked later; nothing connects, and nothing is raised."""
        ...

    def presign_put(self, key: str, *, content_type: str, size: int, checksum: str | None) -> SignedRequest:
        """Store an object in one piece of exactly this size, type and, where given, base64 SHA-256."""
        ...

    def presign_get(self, key: str, *, file_name: str, content_type: str, inline: bool) -> str:
        """An address to download from; shown in the browser only if `inline`."""
        ...

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Begin an upload in parts; its id."""
        ...

    def presign_part(self, key: str, upload_id: str, number: int, size: int) -> SignedRequest:
        """Store one part of exactly this size."""
        ...

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that are stored, by number; ObjectMissing when the upload is over."""
        ...

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts; again, once it is made, is success. ObjectMissing without upload and object."""
        ...

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Forget an unfinished upload; one that is over already is success."""
        ...

    def head(self, key: str) -> StoredObject | None:
        """The object's facts, None when there is none."""
        ...

    def read_start(self, key: str, length: int) -> bytes:
        """The object's first bytes, at most MOST_READ, by one ranged read; ObjectMissing when there is none."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to MOST_DELETED objects; those that are gone already are success."""
        ...

    def list_objects(self, prefix: str, *, after: str, limit: int) -> list[StoredObject]:
        """Objects by key, beginning behind `after`."""
        ...

    def list_multiparts(self, limit: int) -> list[Upload]:
        """Unfinished uploads, at most `limit`."""
        ...

    def check(self) -> None:
        """Raise StorageUnavailable unless the store answers."""
        ...
