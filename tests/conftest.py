"""Gives every test the fixtures of PostgreSQL and of the application."""

from tests.postgres import *  # noqa: F403
from tests.world import *  # noqa: F403
