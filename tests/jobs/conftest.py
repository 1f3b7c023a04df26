"""Fixtures of the jobs: a database of their own, so that no other test's jobs stand in the queue."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from fastier.database import Database, migrate
from fastier.services import Services
from tests.jobs.running import Process, Start


@pytest.fixture(scope="session")
def queue_url(make_database: Callable[[], str]) -> str:
    url = make_database()
    migrate.upgrade(url)
    return url


@pytest.fixture
def database(queue_url: str) -> Iterator[Database]:
    """The database of the jobs, with an empty queue."""
    made = Database(queue_url, pool_size=12)
    with made.transaction() as connection:
        connection.execute(text("TRUNCATE jobs, job_periods"))
    yield made
    made.close()


@pytest.fixture
def services(services: Services, database: Database) -> Services:
    return dataclasses.replace(services, database=database)


@pytest.fixture
def start(queue_url: str, database: Database, tmp_path: Path) -> Iterator[Start]:
    """Starts processes that run jobs; all are killed at the end."""
    running: list[Process] = []

    def begin(*, lease: float = 60, stop: float = 25) -> Process:
        running.append(Process.started(queue_url, tmp_path, lease=lease, stop=stop))
        return running[-1]

    yield begin
    for process in running:
        process.end()
