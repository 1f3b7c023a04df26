"""Files: S3 in production, a folder on a developer's machine, behind one protocol."""

from fastier.settings import Settings
from fastier.storage.local import LocalStorage
from fastier.storage.protocol import (
    ObjectMissing,
    Part,
    SignedRequest,
    Storage,
    StorageUnavailable,
    StoredObject,
    Upload,
)
from fastier.storage.s3 import S3Storage

__all__ = [
    "LocalStorage",
    "ObjectMissing",
    "Part",
    "S3Storage",
    "SignedRequest",
    "Storage",
    "StorageUnavailable",
    "StoredObject",
    "Upload",
    "storage_for",
]


def storage_for(settings: Settings) -> Storage:
    """The storage that the settings name; nothing connects before it is used."""
    if settings.storage == "s3":
        assert settings.s3_bucket is not None, "the settings have been checked"
        return S3Storage(settings.s3_bucket)
    return LocalStorage(settings.storage_path, settings.secret_key, settings.public_url)
