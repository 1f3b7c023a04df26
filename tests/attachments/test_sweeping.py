"""Sweeping: what uploads leave behind goes away, and nothing else does."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from fastier.attachments import service, sweeping
from fastier.database import Database
from fastier.services import Services
from tests.api import Person

Age = Callable[[], None]


@pytest.fixture
def a_day_later(database: Database, services: Services) -> Age:
    """Make everything that was stored so far look a day older."""

    def age() -> None:
        with database.transaction() as connection:
            for column in ("created_at", "deleted_at"):
                connection.execute(text(f"UPDATE attachments SET {column} = {column} - interval '25 hours'"))
        then = time.time() - timedelta(hours=25).total_seconds()
        for path in services.settings.storage_path.rglob("*"):
            os.utime(path, (then, then))

    return age


def _objects(services: Services) -> set[Path]:
    return {path for path in (services.settings.storage_path / "objects").rglob("*") if path.is_file()}


def _rows(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM attachments")).scalar_one())


def _sweep(services: Services) -> None:
    sweeping.sweep(services, {})
    sweeping.sweep_objects(services, {"after": service.KEY_PREFIX})


def test_an_abandoned_upload_is_forgotten_and_its_bytes_are_given_back(
    alice: Person, services: Services, database: Database, a_day_later: Age
) -> None:
    announced = alice.announce(alice.item()["id"], b"sent but never completed")
    alice.send(announced["upload"], b"sent but never completed")
    a_day_later()
    _sweep(services)
    assert alice.get(f"/attachments/{announced['attachment']['id']}").status_code == 404
    assert alice.get(f"/workspaces/{alice.workspace}").json["storage_used"] == 0
    # The row is marked first; its object and the row itself go a day later.
    a_day_later()
    _sweep(services)
    with database.reading() as connection:
        left = connection.execute(
            text("SELECT count(*) FROM attachments WHERE id = :id"), {"id": announced["attachment"]["id"]}
        )
        assert left.scalar_one() == 0


def test_a_deleted_file_loses_its_object_and_its_row(alice: Person, services: Services, a_day_later: Age) -> None:
    made = alice.upload(alice.item()["id"], b"deleted")
    before = _objects(services)
    alice.delete(f"/attachments/{made['id']}")
    _sweep(services)
    assert _objects(services) == before
    a_day_later()
    _sweep(services)
    assert len(before - _objects(services)) >= 1
    assert not [path for path in _objects(services) if made["id"] in path.name]


def test_what_is_ready_or_new_is_never_swept(
    alice: Person, services: Services, database: Database, a_day_later: Age
) -> None:
    kept = alice.upload(alice.item()["id"], b"kept")
    a_day_later()
    fresh = alice.announce(alice.item()["id"], b"fresh")
    alice.send(fresh["upload"], b"fresh")
    for _ in range(2):
        _sweep(services)
    names = {path.name for path in _objects(services)}
    assert {kept["id"], fresh["attachment"]["id"]} <= names
    assert alice.post(f"/attachments/{fresh['attachment']['id']}/complete").status_code == 200


def test_an_object_that_no_row_names_is_deleted(services: Services, alice: Person, a_day_later: Age) -> None:
    orphan = services.settings.storage_path / "objects" / "attachments" / alice.workspace / alice.user_id
    orphan.parent.mkdir(parents=True, exist_ok=True)
    facts = services.settings.storage_path / "facts" / "attachments" / alice.workspace / f"{alice.user_id}.json"
    made = alice.upload(alice.item()["id"], b"a neighbour whose facts are as the orphan's")
    source = services.settings.storage_path / "facts" / "attachments" / alice.workspace / f"{made['id']}.json"
    facts.write_text(source.read_text())
    orphan.write_bytes(b"nobody's")
    _sweep(services)
    assert orphan.exists()
    a_day_later()
    _sweep(services)
    assert not orphan.exists()
    assert alice.get(f"/attachments/{made['id']}").status_code == 200


def test_a_stale_upload_in_parts_is_aborted(services: Services, alice: Person, a_day_later: Age) -> None:
    key = f"{service.KEY_PREFIX}{alice.workspace}/{alice.user_id}"
    upload = services.storage.start_multipart(key, content_type="text/plain")
    _sweep(services)
    assert upload in [each.upload_id for each in services.storage.list_multiparts(1000)]
    a_day_later()
    _sweep(services)
    assert upload not in [each.upload_id for each in services.storage.list_multiparts(1000)]
