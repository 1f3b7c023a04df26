"""What runs beside the web application, also on an instance: `python -m fastier`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from psycopg2 import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from fastier.database import Database, migrate, roles
from fastier.database.credentials import complete_url
from fastier.settings import Settings, SettingsError

_EXAMPLES = """examples:
  python -m fastier database roles       make the roles that migrate, serve and back up; before every upgrade
  python -m fastier database upgrade     bring the database to this code's schema; safe to run anywhere, any time
  python -m fastier database contract    take from it what only older versions need, once they are gone
  python -m fastier database check       say where the database stands; exit 1 when this code cannot run on it
  python -m fastier jobs                 run mails, sweeping and purging until SIGTERM
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is wrong, 2 bad usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options, Settings.from_environ(os.environ)))
    except (SettingsError, migrate.MigrationError) as error:
        print(error, file=sys.stderr)
    except (SQLAlchemyError, OperationalError) as error:
        print(f"The database refused: {getattr(error, 'orig', None) or error}".strip(), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fastier",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    database = commands.add_parser("database", help="migrate the database, or check its schema")
    actions = database.add_subparsers(required=True, metavar="ACTION")
    for name, act, text in (
        ("roles", _roles, "make the roles that migrate, serve and back up, or bring them up to date"),
        ("upgrade", _upgrade, "bring the database to this code's schema; one ahead of it is left as it is"),
        ("contract", _contract, "take from it what only older versions need; refuses while one is connected"),
        ("check", _check, "say where the database stands; exit 1 when this code cannot run on it"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(run=act)
    contract = actions.choices["contract"]
    contract.add_argument("--force", action="store_true", help="even while older versions are connected")
    contract.add_argument("--wait", type=float, default=30, metavar="SECONDS", help="for them to go; 30 by default")
    jobs = commands.add_parser("jobs", help="run the jobs until SIGTERM", description="Run the jobs until SIGTERM.")
    jobs.set_defaults(run=_jobs)
    return parser


def _roles(options: argparse.Namespace, settings: Settings) -> int:
    is_done = roles.establish(settings)
    if options.json:
        print(json.dumps({"roles": is_done}))
    else:
        print("The roles are as they should be." if is_done else "One login does everything here; nothing was changed.")
    return 0


def _upgrade(options: argparse.Namespace, settings: Settings) -> int:
    return _report(options, migrate.upgrade(complete_url(settings.login("migrate"))))


def _contract(options: argparse.Namespace, settings: Settings) -> int:
    url = complete_url(settings.login("migrate"))
    patience = None if options.force else options.wait
    return _report(options, migrate.contract(url, settings.commit, patience=patience))


def _check(options: argparse.Namespace, settings: Settings) -> int:
    database = Database(
        settings.database_url, secret=settings.database_secret, pool_size=1, application_name="fastier-check"
    )
    try:
        with database.reading() as connection:
            return _report(options, migrate.state(connection))
    finally:
        database.close()


def _report(options: argparse.Namespace, state: migrate.SchemaState) -> int:
    if options.json:
        facts = {"current": state.current, "head": state.head, "usable": state.is_usable}
        print(json.dumps({**facts, "expands": state.expands, "contracts": state.contracts}))
    elif state.is_usable:
        ahead = "" if state.known else f", ahead of this code's {state.head}; nothing was changed"
        print(f"The database is at {state.current}{ahead}.")
    else:
        print(f"The database is at {state.current or 'no schema'}; this code needs {state.expands[-1]}.")
        print("Run: python -m fastier database upgrade")
    if state.contracts and not options.json:
        print(f"Waiting until no older version runs: {', '.join(state.contracts)}.")
        print("Then run: python -m fastier database contract")
    return 0 if state.is_usable else 1


def _jobs(options: argparse.Namespace, settings: Settings) -> int:
    # The web's modules are needed for nothing else here, so only this command pays for their import.
    from fastier.app import run_jobs

    run_jobs(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
