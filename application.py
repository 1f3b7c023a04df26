"""The WSGI callable that gunicorn serves: `gunicorn application:application`."""

import os
import sys

from fastier import app, log
from fastier.settings import Settings, SettingsError
from fastier.web import sizing

try:
    settings = Settings.from_environ(os.environ)
except SettingsError as error:
    # One message that names every fault is all an operator needs; a traceback would bury it.
    sys.exit(str(error))

log.configure(settings)
_sizes = sizing.for_this_machine(settings)
# gunicorn's post_fork looks for this name, to give each worker database connections of its own.
services = app.build_services(settings, pool_size=_sizes.pool)
services.prepare()
application = app.build_application(services, _sizes)
