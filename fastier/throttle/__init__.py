"""Throttles: in the database for what must hold across instances, in memory for requests to one instance."""

from fastier.throttle import models
from fastier.throttle.attempts import allow, forget, purge_throttles
from fastier.throttle.requests import RequestLimiter, Verdict, limit_headers

__all__ = ["RequestLimiter", "Verdict", "allow", "forget", "limit_headers", "models", "purge_throttles"]
