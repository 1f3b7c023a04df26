"""The S3-protocol endpoint of the tests: moto's S3 behind a gate that checks signatures and checksums."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from ebtools.s3_endpoint.gate import Gate
from ebtools.s3_endpoint.serving import serving

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Endpoint:
    """Where it listens and who may ask; buckets are made new for each test."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    gate: Gate = field(repr=False)
    # Loading S3's model takes longer than most tests; a session does it once.
    session: boto3.Session = field(default_factory=boto3.Session, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """boto3's own variables, for a client of this endpoint."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, *, secret_key: str | None = None) -> "S3Client":
        return self.session.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(
                signature_version="s3v4", connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}
            ),
        )

    def make_bucket(self) -> str:
        bucket = f"test-{secrets.token_hex(8)}"
        client = self.client()
        client.create_bucket(Bucket=bucket)
        client.close()
        return bucket

    @contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """It is that much later for the endpoint while the block runs."""
        self.gate.later = by
        try:
            yield
        finally:
            self.gate.later = timedelta(0)

    @contextmanager
    def failing(self, status: int = 503) -> Iterator[None]:
        self.gate.fails_with = status
        try:
            yield
        finally:
            self.gate.fails_with = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Requests are taken and not answered before the block ends."""
        self.gate.goes_on.clear()
        try:
            yield
        finally:
            self.gate.goes_on.set()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[S3Endpoint]:
    access_key, secret_key = "AKIATESTTESTTESTTEST", secrets.token_urlsafe(30)
    gate = Gate(DomainDispatcherApplication(create_backend_app), {access_key: secret_key})
    with serving(gate) as url:
        yield S3Endpoint(url, access_key, secret_key, gate)
