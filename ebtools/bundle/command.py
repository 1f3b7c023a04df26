"""`python -m ebtools bundle`, whose archive `eb deploy` sends."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from ebtools.bundle import archive, contents, git
from ebtools.bundle.contents import Contents
from ebtools.bundle.errors import BundleError

ROOT = Path(__file__).resolve().parents[2]
# What .elasticbeanstalk/config.yml names.
OUTPUT = Path("dist/fastier.zip")

_EXAMPLES = """examples:
  python -m ebtools bundle                        write dist/fastier.zip from HEAD; then: eb deploy
  python -m ebtools bundle --output other.zip     write it elsewhere
  python -m ebtools bundle --json | jq .sha256    for a program
"""
_SHOWN = 5


def add_parser(commands: Any) -> None:
    """Add this command to those of `python -m ebtools`."""
    parser = commands.add_parser(
        "bundle",
        help="write the archive that `eb deploy` sends",
        description="Write the committed files that an instance needs, and which build they are, into a zip archive.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, metavar="ZIP", help=f"where to write it (default: {OUTPUT})")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, root: Path = ROOT) -> int:
    """0 when the archive is there, 1 when the commit is not fit to be deployed."""
    output: Path = options.output or root / OUTPUT
    try:
        found = contents.of_head(root)
        changed = git.changes(root, [*contents.TOP_LEVEL, "pyproject.toml"])
        archive.write(found, output)
    except BundleError as error:
        print("\n".join(f"No bundle: {fault}" for fault in error.faults), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"No bundle: {error.strerror or error}: {error.filename or output}", file=sys.stderr)
        return 1
    if changed:
        _warn(changed)
    print(_as_json(found, output, changed) if options.json else _as_text(found, output))
    return 0


def _warn(changed: list[str]) -> None:
    named = ", ".join(changed[:_SHOWN]) + (", …" if len(changed) > _SHOWN else "")
    text = f"Warning: the bundle is HEAD, without what is not committed: {named}"
    print(f"\033[33m{text}\033[0m" if sys.stderr.isatty() else text, file=sys.stderr)


def _as_text(found: Contents, output: Path) -> str:
    lines = [f"{len(file.content):>10,}  {file.path}" for file in found.files]
    unpacked = sum(len(file.content) for file in found.files)
    lines.append(f"{unpacked:>10,}  {len(found.files)} files of {found.commit.name[:12]}, version {found.version}")
    lines.append(f"{output.stat().st_size:>10,}  {output}")
    return "\n".join(lines)


def _as_json(found: Contents, output: Path, changed: list[str]) -> str:
    written = output.read_bytes()
    files = [{"path": file.path, "bytes": len(file.content), "mode": f"{file.mode:o}"} for file in found.files]
    report = {
        "output": str(output),
        "bytes": len(written),
        "sha256": hashlib.sha256(written).hexdigest(),
        "commit": found.commit.name,
        "version": found.version,
        "uncommitted": changed,
        "files": files,
    }
    return json.dumps(report, indent=2)
