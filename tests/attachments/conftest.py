"""The S3 endpoint, for the tests of attachments on S3."""

from tests.s3_endpoint.fixture import s3_endpoint

__all__ = ["s3_endpoint"]
