"""Both storages, each behind a real server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fastier.storage import LocalStorage, S3Storage
from tests.s3_endpoint.fixture import S3Endpoint, s3_endpoint
from tests.storage.stores import Clock, Store, local_storage

__all__ = ["s3_endpoint"]


@pytest.fixture
def s3_storage(s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Storage]:
    for name, value in s3_endpoint.environ.items():
        monkeypatch.setenv(name, value)
    storage = S3Storage(s3_endpoint.make_bucket())
    yield storage
    storage.client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def local(tmp_path: Path, clock: Clock) -> Iterator[LocalStorage]:
    with local_storage(tmp_path / "storage", clock) as storage:
        yield storage


@pytest.fixture(params=["s3", "local"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "s3":
        endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
        return Store(request.getfixturevalue("s3_storage"), endpoint.later)
    clock: Clock = request.getfixturevalue("clock")

    @contextmanager
    def later(by: timedelta) -> Iterator[None]:
        clock.now += by.total_seconds()
        yield
        clock.now -= by.total_seconds()

    return Store(request.getfixturevalue("local"), later)
