"""Plays S3: the endpoint of the tests at an address of the rehearsal, with buckets and faults."""

from contextlib import closing
from typing import TYPE_CHECKING

from ebtools.rehearse.endpoint import ONE_TRY, REGION, Endpoint, Keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Files(Endpoint):
    """S3's protocol, signatures and checksums; buckets and objects live in memory."""

    def __init__(self, keys: Keys | None = None) -> None:
        super().__init__("s3", keys or Keys())

    @property
    def environ(self) -> dict[str, str]:
        """The variables of an instance that keeps its files here; the bucket's name is the application's own."""
        return {**self.keys.environ, "AWS_ENDPOINT_URL_S3": self.url}

    def make_bucket(self, name: str) -> None:
        with closing(self.client()) as client:
            where = {"LocationConstraint": REGION}
            client.create_bucket(Bucket=name, CreateBucketConfiguration=where)  # type: ignore[arg-type]

    def client(self) -> "S3Client":
        """For whoever looks into a bucket; the caller closes it."""
        return self.keys.session().client("s3", endpoint_url=self.url, config=ONE_TRY)
