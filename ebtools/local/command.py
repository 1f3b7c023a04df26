"""`python -m ebtools local`, which `make run` calls."""

import argparse
import errno
import os
import sys
from pathlib import Path
from typing import Any

from ebtools.local.errors import LocalError
from ebtools.local.interrupts import Interrupts
from ebtools.local.places import Places
from ebtools.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]

_EXAMPLES = """examples:
  python -m ebtools local                                                 everything, on port 8000
  PORT=9000 python -m ebtools local                                       on another port
  DATABASE_URL=postgresql://me:secret@db/fastier python -m ebtools local  on your own PostgreSQL
  python -m ebtools local --delete-data                                   start afresh
"""


def add_parser(commands: Any) -> None:
    """Add this command to those of `python -m ebtools`."""
    parser = commands.add_parser(
        "local",
        help="run all of Fastier on this machine until Ctrl-C",
        description="Start PostgreSQL, migrate, start the server and the job runner; Ctrl-C stops all of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--delete-data", action="store_true", help="delete the local database, files and mails")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 after a clean stop, 1 when a part could not start or ended by itself."""
    places = Places(ROOT)
    interrupts = Interrupts()
    interrupts.install()
    try:
        places.make()
        if options.delete_data:
            places.delete_data()
            return 0
        with places.locked():
            Stack(places, os.environ, interrupts).run()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(_in_words(error, places), file=sys.stderr)
        return 1
    return 0


def _in_words(error: OSError, places: Places) -> str:
    what = f"{error.strerror or error}: {error.filename or places.home}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{what}; was it made by another user? Give it back: sudo chown -R $(id -u) {places.home}"
    return f"The disk is full: {what}" if error.errno == errno.ENOSPC else what
