"""Jobs: what is done after an answer, at least once, on a queue in the database."""

from fastier.jobs import models
from fastier.jobs.queue import JobsOverview, enqueue, jobs_overview, purge
from fastier.jobs.runner import Handler, Pace, Periodic, Runner, run

__all__ = [
    "Handler",
    "JobsOverview",
    "Pace",
    "Periodic",
    "Runner",
    "enqueue",
    "jobs_overview",
    "models",
    "purge",
    "run",
]
