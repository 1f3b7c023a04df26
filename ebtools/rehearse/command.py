"""`python -m ebtools rehearse`, which deploys, scales and breaks the bundle on this machine and says what users see."""

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ebtools.bundle import archive as bundle_archive
from ebtools.bundle import contents
from ebtools.bundle.errors import BundleError
from ebtools.preflight import configurations
from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case, Configuration
from ebtools.rehearse import region, report_document, report_json, venvs
from ebtools.rehearse.acts import FEW, STANDARD, all_acts
from ebtools.rehearse.cgroup import Cgroup
from ebtools.rehearse.pace import Pace
from ebtools.rehearse.record import Act, Rehearsal
from ebtools.rehearse.region import Region
from ebtools.rehearse.report_page import page
from ebtools.rehearse.report_text import Progress, screen
from ebtools.rehearse.stage import Script, Stage
from ebtools.rehearse.versions import BUILD, FAULTS

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".local" / "rehearse"
REPORTS = ROOT / "dist" / "rehearsal"
REPORT = "report.json"

OWN = " (Fastier's own)"
_EXAMPLES = """examples:
  python -m ebtools rehearse                            the standard set, some minutes
  python -m ebtools rehearse rolling "failover"         these acts alone
  python -m ebtools rehearse --few                      what every commit is rehearsed with
  python -m ebtools rehearse --list                     every act there is
  python -m ebtools rehearse --scale 1 immutable        with the platform's own waits
  python -m ebtools rehearse --archive theirs.zip --path / rolling --env KEY=VALUE
"""


def add_parser(commands: Any) -> None:
    """Add this command to those of `python -m ebtools`."""
    parser = commands.add_parser(
        "rehearse",
        help="deploy, scale and break the bundle on this machine",
        description="Play deployments and faults on real parts under load. 0 all acts passed, 1 one did not.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("acts", nargs="*", metavar="ACT", help="a policy or a fault (default: the standard set)")
    parser.add_argument("--all", action="store_true", help="every act there is")
    parser.add_argument("--few", action="store_true", help="the short set that CI plays")
    parser.add_argument("--list", action="store_true", help="print every act and stop")
    parser.add_argument("--archive", type=Path, metavar="ZIP", help="another Python bundle (default: this commit's)")
    parser.add_argument(
        "--env", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="an environment property"
    )
    parser.add_argument(
        "--path", action="append", default=[], metavar="PATH", help="what to ask another bundle for (default: /)"
    )
    parser.add_argument(
        "--plant",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        help="a fault to deploy, to see it found",
    )
    parser.add_argument("--configuration", default=configurations.PLAIN, help="a saved configuration (default: none)")
    parser.add_argument(
        "--scale", type=_above_zero, default=0.1, help="how long a wait of AWS takes here (default 0.1)"
    )
    parser.add_argument("--rate", type=_above_zero, default=140, help="requests a second (default 140)")
    parser.add_argument("--requests", type=int, default=10_000, help="how many while deploying (default 10,000)")
    parser.add_argument("--instances", type=int, help="how many instances (default: the least of the group, or 2)")
    parser.add_argument("--report", type=Path, default=REPORTS, metavar="FOLDER", help="where the reports go")
    parser.add_argument("--document", action="store_true", help="write figures and a picture into docs/rehearsal.md")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _pair(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not name or not is_there:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _above_zero(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


def run(options: argparse.Namespace) -> int:
    """0 when every act passed, 1 when one did not or nothing could be played, 2 for what cannot be asked for."""
    known = all_acts()
    if options.list:
        print("\n".join(f"{name:34} {script.title}{OWN if script.is_own else ''}" for name, script in known.items()))
        return 0
    if unknown := [name for name in options.acts if name not in known]:
        print(f"There is no act {unknown[0]!r}; see --list", file=sys.stderr)
        return 2
    if twice := [name for name in options.acts if options.acts.count(name) > 1]:
        print(f"{twice[0]!r} is named twice; each act is played once", file=sys.stderr)
        return 2
    if options.archive and not zipfile.is_zipfile(options.archive):
        print(f"{options.archive} is no zip archive that can be read", file=sys.stderr)
        return 2
    if not _is_ours(options.report):
        print(f"{options.report} holds other things than a report; name a folder of its own", file=sys.stderr)
        return 2
    paths = _paths(options)
    names = _wanted(options, known, is_foreign=bool(paths))
    if own := [name for name in names if paths and known[name].is_own]:
        print(f"{own[0]!r} can be played with Fastier's own interface alone, and not with paths", file=sys.stderr)
        return 2
    if options.inside:
        return _inside(options, names, paths)
    if faults := region.missing():
        print("No rehearsal: " + "\n              ".join(faults), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="fastier-rehearsal-", dir="/tmp") as name:
        folder = Path(name)
        # PostgreSQL runs as nobody, and must pass.
        folder.chmod(0o755)
        try:
            archive = options.archive or _bundled(folder / "bundle.zip")
            environment = venvs.prepare(archive, _cache())
        except (BundleError, venvs.VenvError) as error:
            print(f"No rehearsal: {error}", file=sys.stderr)
            return 1
        (folder / "venvs").symlink_to(environment)
        (folder / "archive").symlink_to(archive.resolve())
        try:
            return region.enter([sys.executable, "-m", "ebtools", "rehearse", *sys.argv[2:], "--inside", str(folder)])
        finally:
            Cgroup.sweep(folder.name)


def _paths(options: argparse.Namespace) -> list[str]:
    """What is asked for where the interface is not Fastier's; empty where it is."""
    if options.path or options.archive is None:
        return list(options.path)
    with zipfile.ZipFile(options.archive) as opened:
        return [] if BUILD in opened.namelist() else ["/"]


def _wanted(options: argparse.Namespace, known: Mapping[str, Script], *, is_foreign: bool) -> list[str]:
    """The acts that were named, or those of the set that was."""
    if options.acts:
        return list(options.acts)
    names = FEW if options.few else tuple(known) if options.all else STANDARD
    return [name for name in names if not (is_foreign and known[name].is_own)]


def _cache() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE


def _bundled(target: Path) -> Path:
    bundle_archive.write(contents.of_head(ROOT), target)
    return target


def _inside(options: argparse.Namespace, names: Sequence[str], paths: list[str]) -> int:
    folder = options.inside
    archive = (folder / "archive").resolve()
    case = Case(Bundle.of_archive(archive), _configuration(options.configuration))
    pace = Pace.of(case, scale=options.scale, instances=options.instances)
    progress = Progress(sys.stderr)
    _clear(options.report)
    stage = Stage(
        Region(folder / "region"),
        case,
        archive,
        (folder / "venvs").resolve(),
        dict(options.env),
        pace,
        options.rate,
        progress.moment,
        requests=options.requests,
        planted=options.plant,
        paths=paths,
    )
    (folder / "region").mkdir(mode=0o755)
    acts = _play(stage, names, progress, options.report)
    found = Rehearsal(_about(options, archive, pace), sorted(stage.not_imitated) + list(NOT_IMITATED), acts)
    _write(found, options.report)
    if options.document:
        report_document.write(found, ROOT / "docs")
    print(
        json.dumps(report_json.document(found))
        if options.json
        else screen(found, options.report / "index.html", sys.stdout)
    )
    return 0 if found.passed else 1


def _configuration(name: str) -> Configuration:
    return configurations.plain() if name == configurations.PLAIN else configurations.named([name], ROOT)[0]


def _play(stage: Stage, names: Sequence[str], progress: Progress, report: Path) -> list[Act]:
    """The acts that could be played; what stops one stops the rest, and stands in the report."""
    known, acts = all_acts(), []
    try:
        stage.open()
        for name in names:
            progress.begin(known[name].title)
            acts.append(stage.play(known[name]))
            _tell(stage, acts[-1], progress, report)
    except Exception as error:
        name = names[len(acts)] if len(acts) < len(names) else "the end"
        acts.append(Act(name, name, "policy", 0.0, error=f"{type(error).__name__}: {error}"))
        _tell(stage, acts[-1], progress, report)
    finally:
        stage.close()
    return acts


def _tell(stage: Stage, act: Act, progress: Progress, report: Path) -> None:
    """How it ended; where that was not well, the logs are kept before the next act writes into them."""
    if not act.passed:
        act.logs = f"logs/{act.name.replace(' ', '-')}/"
        stage.keep_logs(act, report / act.logs)
    progress.end(act)


NOT_IMITATED = (
    "kernel settings and mounts: hooks cannot change them here",
    "disks: all of them are memory, so that none waits for the one that this machine has",
    "pip on each instance: the environment is made once and shared, read-only",
    "checks of a silent target: HAProxy begins the next an interval after the last has timed out",
    "the health agent, log streaming and the CloudWatch agent",
)


def _about(options: argparse.Namespace, archive: Path, pace: Pace) -> dict[str, str]:
    haproxy = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, timeout=10, check=False).stderr
    processors = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": f"python -m ebtools {' '.join(sys.argv[1:]).partition(' --inside')[0]}",
        "archive": options.archive.name if options.archive else "this commit's",
        "machine": f"{len(os.sched_getaffinity(0))} cores of {processors[0] if processors else platform.machine()}",
        "python": platform.python_version(),
        "gunicorn": version("gunicorn"),
        "haproxy": haproxy.split()[2] if haproxy else "unknown",
        "nginx": nginx.strip().rpartition("/")[2],
        "waits": f"{options.scale:g} of those on AWS",
        "load": f"{options.rate:g} requests a second",
        "instances": str(pace.instances),
    }


def _is_ours(folder: Path) -> bool:
    """Whether a report may be written there, in the place of all that it holds."""
    return not folder.exists() or (folder.is_dir() and (not any(folder.iterdir()) or (folder / REPORT).is_file()))


def _clear(folder: Path) -> None:
    """An empty report, so that the folder is known for one from now on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / REPORT).write_text("")


def _write(found: Rehearsal, folder: Path) -> None:
    (folder / REPORT).write_text(json.dumps(report_json.document(found), indent=1) + "\n")
    (folder / "index.html").write_text(page(found))
