"""The composition root: builds the services, registers every route, job and check, and wraps the application."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask

from fastier import health, jobs, log, throttle
from fastier.accounts import mails
from fastier.accounts import models as account_models
from fastier.accounts import queries as accounts
from fastier.accounts.views import routes as account_routes
from fastier.activity import queries as activity
from fastier.activity.views import routes as activity_routes
from fastier.attachments import models as attachment_models
from fastier.attachments import sweeping
from fastier.attachments.views import routes as attachment_routes
from fastier.comments import models as comment_models
from fastier.comments.views import routes as comment_routes
from fastier.database import Base, Database, migrate
from fastier.database.budget import JOB_CONNECTIONS
from fastier.health import Check, CheckError, Checks, Readiness
from fastier.items import models as item_models
from fastier.items import reminding
from fastier.items.views import routes as item_routes
from fastier.jobs import Handler, Periodic
from fastier.lists import models as list_models
from fastier.lists.views import routes as list_routes
from fastier.members import mails as member_mails
from fastier.members import models as member_models
from fastier.members import queries as members
from fastier.members.views import routes as member_routes
from fastier.search import models as search_models
from fastier.search.views import routes as search_routes
from fastier.sections import models as section_models
from fastier.sections.views import routes as section_routes
from fastier.services import Services
from fastier.settings import Settings
from fastier.storage import LocalStorage, storage_for
from fastier.sync import models as sync_models
from fastier.sync import queries as sync
from fastier.sync.views import routes as sync_routes
from fastier.tags import models as tag_models
from fastier.tags.views import routes as tag_routes
from fastier.throttle import RequestLimiter
from fastier.trash import purging
from fastier.trash.views import routes as trash_routes
from fastier.web import admission, bodies, docs, idempotency, middleware, openapi, problems, sizing
from fastier.web import models as web_models
from fastier.web.binding import PREFIX, Binder
from fastier.workspaces import models as workspace_models
from fastier.workspaces.views import routes as workspace_routes

# Every table, for Alembic: importing the models above is what fills it.
METADATA = Base.metadata
MODELS = (
    account_models,
    workspace_models,
    member_models,
    list_models,
    section_models,
    tag_models,
    item_models,
    comment_models,
    attachment_models,
    search_models,
    sync_models,
    web_models,
    jobs.models,
    throttle.models,
)
FEATURES = (
    account_routes,
    workspace_routes,
    member_routes,
    list_routes,
    section_routes,
    tag_routes,
    item_routes,
    comment_routes,
    attachment_routes,
    search_routes,
    activity_routes,
    sync_routes,
    trash_routes,
)

# Each deletes at most this many rows in one transaction, so that nobody waits behind it.
PURGE_BATCH = 1000
_PURGES: dict[str, Callable[[Any, int], int]] = {
    "purge.kept_answers": idempotency.purge,
    "purge.tokens": accounts.purge,
    "purge.throttles": throttle.purge_throttles,
    "purge.failed_jobs": jobs.purge,
    "purge.invitations": members.purge,
    "purge.activity": activity.purge,
    "purge.former_members": sync.purge,
}


def build_services(settings: Settings, *, pool_size: int, application_name: str = "fastier-web") -> Services:
    """What the process holds once; nothing of it connects before it is used."""
    name = migrate.session_name(application_name, settings.commit)
    database = Database(
        settings.database_url, secret=settings.database_secret, pool_size=pool_size, application_name=name
    )
    return Services(settings, database, storage_for(settings))


def build_flask(services: Services, readiness: Readiness) -> Flask:
    """The routes of the API, its documentation and the health checks."""
    settings = services.settings
    app = Flask("fastier", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = bodies.LARGEST_BODY
    # A trailing slash or two is another address; a redirect would only hide the mistake from a program.
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    problems.install(app)
    binder = Binder(services, accounts.authenticate, RequestLimiter(quota=settings.rate_limit, window_seconds=60))
    binder.register(app, *FEATURES)
    docs.install(
        app,
        openapi.document(binder.routes, version=settings.version, public_url=settings.public_url, prefix=PREFIX),
    )
    app.register_blueprint(health.blueprint(settings, readiness, Checks(checks(services))))
    return app


def build_application(services: Services, sizes: sizing.Sizing) -> WSGIApplication:
    """What gunicorn serves: Flask, the files of local storage, and the middleware around them."""
    readiness = Readiness()
    flask_app = build_flask(services, readiness)
    inner: WSGIApplication = flask_app.wsgi_app
    if isinstance(services.storage, LocalStorage):
        inner = partial(_with_files, inner, services.storage.wsgi_app)
    return middleware.wrap(
        inner, settings=services.settings, admission=admission.Admission(sizes), is_ready=readiness.is_set
    )


def _with_files(app: WSGIApplication, files: WSGIApplication, environ: Any, start_response: Any) -> Any:
    """Hand addresses of local storage to it; on S3 no file passes through this process."""
    return (files if environ["PATH_INFO"].startswith("/storage/") else app)(environ, start_response)


def checks(services: Services) -> dict[str, Check]:
    """What an instance depends on; each raises when that is not well."""

    def database() -> None:
        with services.database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")

    def schema() -> None:
        with services.database.reading() as connection:
            state = migrate.state(connection)
        if not state.is_usable:
            raise CheckError(f"the database is at {state.current}, this code needs {state.expands[-1]}")

    def job_queue() -> None:
        with services.database.reading() as connection:
            overview = jobs.jobs_overview(connection)
        if overview.oldest_ready_seconds > 300:
            raise CheckError(f"the oldest job has waited {overview.oldest_ready_seconds:.0f} s; is the runner up?")

    return {"database": database, "schema": schema, "storage": services.storage.check, "jobs": job_queue}


def run_jobs(settings: Settings) -> None:
    """Run jobs until SIGTERM."""
    log.configure(settings)
    services = build_services(settings, pool_size=JOB_CONNECTIONS, application_name="fastier-jobs")
    handlers: dict[str, Handler] = {**mails.HANDLERS, **member_mails.HANDLERS, **sweeping.HANDLERS, **purging.HANDLERS}
    handlers |= reminding.HANDLERS
    handlers |= {kind: partial(_purge, purge) for kind, purge in _PURGES.items()}
    periodic = [Periodic(kind, timedelta(hours=1)) for kind in (*_PURGES, sweeping.SWEEP, purging.PURGE)]
    periodic.append(Periodic(reminding.REMIND, timedelta(minutes=1)))
    jobs.run(services, handlers, periodic)


def _purge(purge: Callable[[Any, int], int], services: Services, payload: dict[str, Any]) -> None:
    """Delete in batches, each committed by itself; what is left is for the next period."""
    for _ in range(100):
        with services.database.transaction() as connection:
            if purge(connection, PURGE_BATCH) < PURGE_BATCH:
                return
