"""The rules of attachments: announce, upload to the storage directly, complete, download by a signed address."""

import base64
from typing import Any
from uuid import UUID

import filetype
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier.attachments import queries
from fastier.attachments.schemas import LARGEST_PIECE, NewAttachment
from fastier.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from fastier.services import Services
from fastier.storage import ObjectMissing, Part, Storage, StoredObject
from fastier.storage.protocol import MOST_READ
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces import access
from fastier.workspaces.access import EDITORS, Access, etag_of
from fastier.workspaces.deeds import Deed
from fastier.workspaces.service import id_taken

# S3 takes at most 10,000 parts.
MOST_PARTS = 10_000
KEY_PREFIX = "attachments/"

# Shown in the browser, when the first bytes say that they are what they were said to be. None of them can hold a
# script; everything else is downloaded.
SHOWN_INLINE = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "video/mp4", "video/webm", "audio/mpeg"}
)
# Sent as what they are; any other type that a browser might act on is sent as bytes.
SENT_AS_IS = ("image/", "video/", "audio/", "application/zip", "application/pdf", "text/plain", "text/csv")
NEVER_SENT_AS_IS = frozenset({"image/svg+xml"})
BYTES = "application/octet-stream"


def get_attachment(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    found = queries.one(connection, viewer, id)
    if found is None:
        raise NotFound
    return found


def announce(connection: Connection, viewer: Viewer, held: Access, item_id: UUID, new: NewAttachment) -> dict[str, Any]:
    """A file that may now be uploaded; its bytes count against the quota from here on."""
    _check_checksum_kind(new)
    id = new.id or uuid7()
    fields = {
        "id": str(id),
        "item": str(item_id),
        "viewer": str(viewer.user_id),
        "file_name": new.file_name,
        "content_type": new.content_type.lower(),
        "size": new.size,
        "checksum": new.checksum,
        "object_key": f"{KEY_PREFIX}{held.workspace_id}/{id}",
    }
    made = queries.insert(connection, held, fields)
    if made is None:
        there = queries.one(connection, viewer, id)
        if there is None:
            raise id_taken()
        raise AnswerInstead(Reply({"attachment": queries.shown(there), "upload": None}, 201))
    if not queries.reserve(connection, held, new.size):
        raise Conflict("The workspace has no room for this file; delete others, or empty the trash.", code="quota")
    return made


def _check_checksum_kind(new: NewAttachment) -> None:
    is_sha256 = new.checksum is not None and len(base64.b64decode(new.checksum)) == 32
    if new.checksum is not None and is_sha256 != (new.size <= LARGEST_PIECE):
        detail = "Up to 64 MiB the checksum is a SHA-256, above it a CRC64NVME; both in base64."
        raise Invalid(detail, errors=[FieldError("/checksum", detail)])


def upload_of(services: Services, viewer: Viewer, attachment: dict[str, Any]) -> dict[str, Any] | None:
    """How to upload what is missing, signed now; None once it is ready."""
    if attachment["status"] != "uploading":
        return None
    if attachment["size"] <= LARGEST_PIECE:
        return _one_piece(services.storage, attachment)
    upload_id = attachment["upload_id"] or _start_upload(services, viewer, attachment)
    return {"parts": _missing_parts(services.storage, attachment, upload_id)}


def _one_piece(storage: Storage, attachment: dict[str, Any]) -> dict[str, Any]:
    signed = storage.presign_put(
        attachment["object_key"],
        content_type=attachment["content_type"],
        size=attachment["size"],
        checksum=attachment["checksum"],
    )
    return {"method": signed.method, "url": signed.url, "headers": signed.headers}


def _start_upload(services: Services, viewer: Viewer, attachment: dict[str, Any]) -> str:
    """Begin the upload in parts, outside of any transaction; of two that begin it at once, the first counts."""
    key = attachment["object_key"]
    upload_id = services.storage.start_multipart(key, content_type=attachment["content_type"])
    with services.database.transaction() as connection:
        if queries.set_upload_id(connection, attachment["id"], upload_id):
            return upload_id
        there = get_attachment(connection, viewer, attachment["id"])
    services.storage.abort_multipart(key, upload_id)
    if there["upload_id"] is None:
        raise Conflict("The upload was completed meanwhile.", code="upload_over")
    return str(there["upload_id"])


def part_sizes(size: int) -> list[int]:
    """The sizes of a file's parts: all alike but the last, each at least LARGEST_PIECE."""
    part = max(LARGEST_PIECE, -(-size // MOST_PARTS))
    count = -(-size // part)
    return [part] * (count - 1) + [size - part * (count - 1)]


def _missing_parts(storage: Storage, attachment: dict[str, Any], upload_id: str) -> list[dict[str, Any]]:
    stored = {part.number: part.size for part in _stored_parts(storage, attachment, upload_id)}
    return [
        {
            "number": number,
            "url": storage.presign_part(attachment["object_key"], upload_id, number, size).url,
            "size": size,
        }
        for number, size in enumerate(part_sizes(attachment["size"]), 1)
        if stored.get(number) != size
    ]


def _stored_parts(storage: Storage, attachment: dict[str, Any], upload_id: str) -> list[Part]:
    try:
        return storage.list_parts(attachment["object_key"], upload_id)
    except ObjectMissing:
        raise Conflict("The upload is over; complete it, or announce the file again.", code="upload_over") from None


def complete(services: Services, viewer: Viewer, id: UUID) -> dict[str, Any]:
    """Make the attachment ready once the storage has it as announced; again is success."""
    with services.database.reading() as connection:
        there = get_attachment(connection, viewer, id)
        seen = access.to_read(connection, viewer, "items", there["item_id"])
    if seen.role not in EDITORS:
        raise Forbidden(f"Your role here is {seen.role}; this needs {' or '.join(EDITORS)}.", code="role")
    if there["status"] == "ready":
        return queries.shown(there)
    if there["upload_id"] is not None:
        _join_parts(services.storage, there)
    stored = services.storage.head(there["object_key"])
    checksum = _found_as_announced(there, stored)
    first_bytes = services.storage.read_start(there["object_key"], MOST_READ)
    with services.database.transaction() as connection:
        deed = Deed("attachment.added", subject_id=id)
        held = access.to_write(connection, viewer, "items", there["item_id"], deed=deed)
        made = queries.make_ready(connection, held, id, checksum, filetype.guess_mime(first_bytes))
        if made is None:
            # Somebody else was first; nothing is to be written, told or counted twice.
            ready = get_attachment(connection, viewer, id)
            raise AnswerInstead(Reply(queries.shown(ready), etag=etag_of(ready["revision"])))
        return queries.shown(made)


def _join_parts(storage: Storage, attachment: dict[str, Any]) -> None:
    """Have the storage join the parts; a retry after a lost answer finds the object instead."""
    key, upload_id = attachment["object_key"], attachment["upload_id"]
    try:
        parts = storage.list_parts(key, upload_id)
    except ObjectMissing:
        return
    stored = {part.number: part.size for part in parts}
    expected = dict(enumerate(part_sizes(attachment["size"]), 1))
    if missing := [number for number, size in expected.items() if stored.get(number) != size]:
        shown = ", ".join(map(str, missing[:10]))
        raise Conflict(f"{len(missing)} of {len(expected)} parts are missing: {shown}.", code="parts_missing")
    storage.complete_multipart(key, upload_id, [part for part in parts if part.number in expected])


def _found_as_announced(attachment: dict[str, Any], stored: StoredObject | None) -> str | None:
    """The stored object's checksum; Conflict where there is no object, or another one than announced."""
    if stored is None:
        raise Conflict("Nothing has been uploaded yet.", code="not_uploaded")
    announced = attachment["checksum"]
    if stored.size != attachment["size"]:
        raise Conflict(f"{stored.size} bytes were uploaded, not {attachment['size']}.", code="upload_differs")
    if announced is not None and stored.checksum != announced:
        raise Conflict("The uploaded bytes are not those of the checksum.", code="upload_differs")
    return stored.checksum


def content_address(storage: Storage, attachment: dict[str, Any]) -> str:
    """A signed address of the content; shown in the browser only where that is safe."""
    if attachment["status"] != "ready":
        raise Conflict("The upload has not been completed.", code="not_uploaded")
    declared = attachment["content_type"]
    inline = declared in SHOWN_INLINE and declared == attachment["sniffed_type"]
    as_is = declared.startswith(SENT_AS_IS) and declared not in NEVER_SENT_AS_IS
    return storage.presign_get(
        attachment["object_key"],
        file_name=attachment["file_name"],
        content_type=declared if inline or as_is else BYTES,
        inline=inline,
    )
