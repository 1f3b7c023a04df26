"""The tools of a laptop and of the pipeline: `python -m ebtools`."""

import argparse
import sys
from collections.abc import Sequence

from ebtools.bundle import command as bundle
from ebtools.local import command as local

COMMANDS = (local, bundle)

_EXAMPLES = """examples:
  python -m ebtools local       all of Fastier on this machine, until Ctrl-C
  python -m ebtools bundle      the package that `eb deploy` sends, in dist/
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is wrong, 2 bad usage."""
    parser = argparse.ArgumentParser(
        prog="python -m ebtools",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
