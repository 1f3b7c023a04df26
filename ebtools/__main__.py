"""The tools of a laptop and of the pipeline: `python -m ebtools`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

# Only the command that is asked for is imported: each has requirements of its own.
COMMANDS = {
    "local": "run all of Fastier on this machine",
    "bundle": "write the archive that `eb deploy` sends",
    "preflight": "check the archive before Elastic Beanstalk sees it",
    "rehearse": "deploy, scale and break the archive on this machine",
}

_EXAMPLES = """examples:
  python -m ebtools local       all of Fastier on this machine, until Ctrl-C
  python -m ebtools bundle      the package that `eb deploy` sends, in dist/
  python -m ebtools preflight   whether Elastic Beanstalk would take it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is wrong, 2 bad usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m ebtools",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        if given[:1] == [name]:
            try:
                import_module(f"ebtools.{name}.command").add_parser(commands)
            except ModuleNotFoundError as error:
                print(f"{error.name} is missing; install it: python3 ebtools/bootstrap.py {name}", file=sys.stderr)
                return 1
        else:
            commands.add_parser(name, help=purpose)
    options = parser.parse_args(given)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
