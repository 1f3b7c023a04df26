"""The endpoint under its own tests."""

from tests.s3_endpoint.fixture import s3_endpoint

__all__ = ["s3_endpoint"]
