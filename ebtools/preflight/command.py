"""`python -m ebtools preflight`, which finds on the laptop what would fail on Elastic Beanstalk."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ebtools.preflight import artifact, configurations, engine, report, sarif
from ebtools.preflight.artifact import ArtifactError
from ebtools.preflight.bundle import Bundle, BundleError
from ebtools.preflight.case import Configuration
from ebtools.preflight.catalogue import PROFILES
from ebtools.preflight.configurations import ConfigurationError
from ebtools.preflight.findings import Rule

ROOT = Path(__file__).resolve().parents[2]

_EXAMPLES = """examples:
  python -m ebtools preflight                                check what `eb deploy` would send
  python -m ebtools preflight --archive other.zip            check any Python bundle
  python -m ebtools preflight --configuration production     for one saved configuration
  python -m ebtools preflight --json | jq '.findings[].rule' for a program
  python -m ebtools preflight --sarif preflight.sarif        for a forge that shows findings beside the code
  python -m ebtools preflight --explain options/number       what a rule is about
"""


def add_parser(commands: Any) -> None:
    """Add this command to those of `python -m ebtools`."""
    parser = commands.add_parser(
        "preflight",
        help="check the archive before Elastic Beanstalk sees it",
        description="Check an archive, once for each way in which an environment is made of it. 0 clean, 1 findings.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--archive", type=Path, metavar="ZIP", help="the archive (default: what `eb deploy` would send)"
    )
    parser.add_argument("--rules", choices=sorted(PROFILES), help="which rules (default: fastier for its own archive)")
    parser.add_argument(
        "--configuration",
        action="append",
        metavar="NAME|FILE",
        help=f"a saved configuration, or {configurations.PLAIN!r} for none; may be repeated (default: all)",
    )
    parser.add_argument("--blue-green", action="store_true", help="as for a deployment beside a running environment")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="write them as SARIF 2.1.0 too")
    parser.add_argument("--allow-not-run", action="append", default=[], metavar="RULE", help="a rule that need not run")
    parser.add_argument("--list-rules", action="store_true", help="print all rules and stop")
    parser.add_argument("--explain", metavar="RULE", help="print what a rule is about and stop")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, root: Path = ROOT) -> int:
    """0 when nothing stands in the way, 1 when something does or could not be checked, 2 for a rule unknown."""
    known = {rule.id: rule for rules in PROFILES.values() for rule in rules}
    unknown = [name for name in [*options.allow_not_run, options.explain] if name and name not in known]
    if unknown:
        print(f"There is no rule {unknown[0]}; see --list-rules", file=sys.stderr)
        return 2
    if options.explain:
        print(report.explanation(known[options.explain]))
        return 0
    if options.list_rules:
        print("\n".join(report.listed(PROFILES[options.rules] if options.rules else list(known.values()))))
        return 0
    try:
        return _check(options, root)
    except (ArtifactError, BundleError, ConfigurationError) as error:
        print(f"No preflight: {error}", file=sys.stderr)
        return 1


def _check(options: argparse.Namespace, root: Path) -> int:
    path, bundle, cases = _subject(options, root)
    cases = [_as_blue_green(one) for one in cases] if options.blue_green else cases
    rules = _rules(options.rules, bundle)
    found = engine.run(bundle, cases, rules, options.allow_not_run)
    if options.sarif:
        _write(options.sarif, sarif.document(found))
    if options.json:
        print(report.as_json(found, path.name))
    else:
        print(report.as_text(found, path.name, report.Style.of(sys.stdout)))
    return 0 if found.is_clean else 1


def _subject(options: argparse.Namespace, root: Path) -> tuple[Path, Bundle, list[Configuration]]:
    """The archive and its configurations; another's archive has none but those that are named."""
    names: Sequence[str] = options.configuration or ()
    if options.archive:
        cases = configurations.named(names, root) if names else [configurations.plain()]
        return options.archive, Bundle.of_archive(options.archive), cases
    project = artifact.project(root)
    path, bundle = artifact.of(project)
    platform = project.platform
    cases = configurations.named(names, root, platform) if names else configurations.all_of(root, platform)
    return path, bundle, cases


def _as_blue_green(one: Configuration) -> Configuration:
    return Configuration(one.name, one.settings, one.platform, one.has_cli_presets, is_blue_green=True)


def _rules(profile: str | None, bundle: Bundle) -> tuple[Rule, ...]:
    return PROFILES[profile or ("fastier" if artifact.BUILD_FILE in bundle else "platform")]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written: {error.strerror}") from None
