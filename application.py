"""The WSGI callable that gunicorn serves: `gunicorn application:application`."""

import os
import sys

from fastier.app import create_application
from fastier.settings import Settings, SettingsError

try:
    application = create_application(Settings.from_environ(os.environ))
except SettingsError as error:
    # One message that names every fault is all an operator needs; a traceback would bury it.
    sys.exit(str(error))
