"""What goes in and out about attachments."""

import base64
import binascii
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fastier.storage.disposition import clean_file_name
from fastier.web.schemas import ClientId, Input, Line, Output, Time

# S3 takes an object of up to 5 GiB in one piece; past this size losing a connection would lose too much work.
LARGEST_PIECE = 64 * 1024 * 1024
# S3's own limit; the workspace's quota is met long before.
LARGEST_FILE = 5 * 1024**4
_MEDIA_TYPE = r"^[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}$"
# Lengths of a SHA-256 and of a CRC64NVME.
_DIGEST_BYTES = (32, 8)


def _checksum(value: str) -> str:
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) not in _DIGEST_BYTES:
        raise PydanticCustomError("checksum", "A checksum must be a base64 SHA-256 or CRC64NVME")
    return value


class NewAttachment(Input):
    """A file that will be uploaded."""

    file_name: Annotated[Line, Field(min_length=1, max_length=255), AfterValidator(clean_file_name)]
    content_type: Annotated[str, Field(pattern=_MEDIA_TYPE)]
    size: Annotated[int, Field(ge=0, le=LARGEST_FILE, description="Bytes.")]
    checksum: Annotated[
        Annotated[str, Field(max_length=64), AfterValidator(_checksum)] | None,
        Field(description="Base64: the SHA-256 of a file of up to 64 MiB, the CRC64NVME of a larger one."),
    ] = None
    id: ClientId | None = None


class Attachment(Output):
    """A file of an item."""

    id: UUID
    item_id: UUID
    status: Literal["uploading", "ready"]
    file_name: str
    content_type: str
    size: int
    checksum: str | None
    created_by: UUID | None
    created_at: Time
    completed_at: Time | None
    revision: int


class UploadInOnePiece(Output):
    """The request that stores the file; send its headers exactly as they are."""

    method: str
    url: str
    headers: dict[str, str]


class UploadPart(Output):
    """PUT exactly these bytes of the file, in order of their numbers, to this address."""

    number: int
    url: str
    size: int


class UploadInParts(Output):
    """The parts that are still missing; they can be sent in any order, and again."""

    parts: list[UploadPart]


class AttachmentWithUpload(Output):
    """A file and, until it is ready, how to upload what is missing."""

    attachment: Attachment
    upload: UploadInOnePiece | UploadInParts | None
