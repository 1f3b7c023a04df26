"""Deletes what uploads leave behind: abandoned ones, deleted files, stale parts, and objects that no row names."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from fastier import jobs
from fastier.attachments.service import KEY_PREFIX
from fastier.jobs import Handler
from fastier.services import Services

SWEEP = "attachments.sweep"
SWEEP_OBJECTS = "attachments.sweep_objects"
# Longer than any signed address lives, so that nothing is swept that may still be uploaded.
AGE = timedelta(hours=24)
BATCH = 200
MOST_BATCHES = 50

# Deleted and abandoned rows first lose their object, then go; a runner that is killed in between finds them again.
_ABANDON = text(
    """WITH a AS (
        UPDATE attachments SET deleted_at = now() WHERE id IN (
            SELECT id FROM attachments WHERE status = 'uploading' AND deleted_at IS NULL AND created_at < :before
            ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING workspace_id, size),
    freed AS (
        UPDATE workspaces w SET storage_used = storage_used - f.size
        FROM (SELECT workspace_id, sum(size) AS size FROM a GROUP BY workspace_id) f WHERE w.id = f.workspace_id)
    SELECT count(*) FROM a"""
)
_DELETED = text(
    """SELECT id, object_key, upload_id FROM attachments WHERE deleted_at < :before ORDER BY deleted_at LIMIT :limit"""
)
_FORGET = text("DELETE FROM attachments WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NOT NULL")
_KNOWN_KEYS = text("""SELECT object_key FROM attachments WHERE id = ANY(CAST(:ids AS uuid[]))""")
_KNOWN_UPLOADS = text("SELECT upload_id FROM attachments WHERE upload_id = ANY(:ids)")


def sweep(services: Services, payload: dict[str, Any]) -> None:
    """Everything but the walk over all objects, in batches."""
    before = datetime.now(UTC) - AGE
    for _ in range(MOST_BATCHES):
        with services.database.transaction() as connection:
            if connection.execute(_ABANDON, {"before": before, "limit": BATCH}).scalar_one() < BATCH:
                break
    for _ in range(MOST_BATCHES):
        if _delete_batch(services, before) < BATCH:
            break
    _abort_stale_uploads(services, before)
    with services.database.transaction() as connection:
        jobs.enqueue(connection, SWEEP_OBJECTS, {"after": KEY_PREFIX}, key=SWEEP_OBJECTS)


def _delete_batch(services: Services, before: datetime) -> int:
    with services.database.reading() as connection:
        rows = connection.execute(_DELETED, {"before": before, "limit": BATCH}).all()
    for row in rows:
        if row.upload_id is not None:
            services.storage.abort_multipart(row.object_key, row.upload_id)
    services.storage.delete([row.object_key for row in rows])
    with services.database.transaction() as connection:
        connection.execute(_FORGET, {"ids": [row.id for row in rows]})
    return len(rows)


def _abort_stale_uploads(services: Services, before: datetime) -> None:
    """Uploads in parts that no attachment knows: their process died before it kept the id."""
    stale = [upload for upload in services.storage.list_multiparts(1000) if upload.started_at < before]
    with services.database.reading() as connection:
        known = set(connection.execute(_KNOWN_UPLOADS, {"ids": [upload.upload_id for upload in stale]}).scalars())
    for upload in stale:
        if upload.upload_id not in known:
            services.storage.abort_multipart(upload.key, upload.upload_id)


def sweep_objects(services: Services, payload: dict[str, Any]) -> None:
    """Walk over a part of all objects, delete those that no row names, and leave the rest to the next job."""
    before, after = datetime.now(UTC) - AGE, str(payload["after"])
    objects = services.storage.list_objects(KEY_PREFIX, after=after, limit=1000)
    if not objects:
        return
    old = [each.key for each in objects if each.modified_at < before]
    ids = [key.rsplit("/", 1)[1] for key in old]
    with services.database.reading() as connection:
        known = set(connection.execute(_KNOWN_KEYS, {"ids": ids}).scalars())
    services.storage.delete([key for key in old if key not in known])
    with services.database.transaction() as connection:
        jobs.enqueue(connection, SWEEP_OBJECTS, {"after": objects[-1].key})


HANDLERS: dict[str, Handler] = {SWEEP: sweep, SWEEP_OBJECTS: sweep_objects}
