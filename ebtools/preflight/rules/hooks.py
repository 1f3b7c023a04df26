"""Rules about the scripts in .platform: whether they run, and whether they do what they look like doing."""

import re
import shutil
import subprocess
from collections.abc import Iterator

from ebtools.preflight.bundle import Entry
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule

PLATFORM = ".platform"
_STAGES = ("prebuild", "predeploy", "postdeploy")
_KINDS = ("hooks", "confighooks")
_OTHERS = ("nginx", "httpd")
_SECONDS = 10
_SHELLS = {"sh": "sh", "bash": "bash", "dash": "sh"}
_MIGRATES = re.compile(r"\b(?:alembic\s+upgrade|flask\s+db\s+upgrade|manage\.py\s+migrate)\b")


def scripts(case: Case) -> list[Entry]:
    """The files that the platform runs: those directly within a stage of hooks and confighooks."""
    return [
        entry
        for kind in _KINDS
        for stage in _STAGES
        for entry in case.bundle.under(f"{PLATFORM}/{kind}/{stage}")
        if entry.path.count("/") == 3
    ]


def _shebang(case: Case) -> Iterator[Outcome]:
    for entry in scripts(case):
        if not entry.content.startswith((b"#!", b"\x7fELF")):
            yield Finding("it does not begin with #!", entry.path, 1)


def _interpreter(entry: Entry) -> str:
    first = entry.content.split(b"\n", 1)[0].decode("utf-8", "replace").removeprefix("#!").split()
    if not first:
        return ""
    words = [word for word in first[1:] if not word.startswith("-")] if first[0].endswith("/env") else first
    return words[0].rpartition("/")[2] if words else ""


def _syntax(case: Case) -> Iterator[Outcome]:
    yield from case.bundle.once("hooks/syntax", lambda _: list(_judged(case)))


def _judged(case: Case) -> Iterator[Outcome]:
    for entry in scripts(case):
        shell = _SHELLS.get(_interpreter(entry))
        if shell is None or not entry.content.startswith(b"#!"):
            continue
        program = shutil.which(shell)
        if program is None:
            yield NotRun(f"{shell} is not installed")
            return
        # The platform turns Windows line ends into its own before it runs a hook.
        text = entry.content.replace(b"\r\n", b"\n")
        done = subprocess.run([program, "-n"], input=text, capture_output=True, timeout=_SECONDS)
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()[:1] or [""]
            line = re.search(r"(?:line )?(\d+):", told[0])
            yield Finding(told[0].split(": ", 2)[-1], entry.path, int(line[1]) if line else 0)


def _line_ends(case: Case) -> Iterator[Outcome]:
    for entry in scripts(case):
        if b"\r\n" in entry.content:
            yield Finding("its lines end as on Windows", entry.path, 1)


def _place(case: Case) -> Iterator[Outcome]:
    for entry in case.bundle.under(PLATFORM):
        parts = entry.path.split("/")
        if parts[1] in _OTHERS or (parts[1] in _KINDS and len(parts) == 4 and parts[2] in _STAGES):
            continue
        is_script = entry.content.startswith(b"#!")
        if is_script and (parts[1] not in _KINDS or len(parts) < 4 or parts[2] not in _STAGES):
            yield Finding("it looks like a hook, and the platform does not look here", entry.path)


def _environment_file(case: Case) -> Iterator[Outcome]:
    pattern = re.compile(r"^\s*(?:source|\.|export \$\(\s*cat)\s+/opt/elasticbeanstalk/deployment/env\b")
    for entry in scripts(case):
        for number, line in enumerate((entry.text or "").splitlines(), 1):
            if pattern.search(line):
                yield Finding("it reads the environment's file as a script", entry.path, number)


def _late_migration(case: Case) -> Iterator[Outcome]:
    for entry in scripts(case):
        if "/postdeploy/" not in entry.path:
            continue
        for number, line in enumerate((entry.text or "").splitlines(), 1):
            if not line.lstrip().startswith("#") and (match := _MIGRATES.search(line)):
                yield Finding(f"`{match[0]}` runs when the new code serves already", entry.path, number)


def _system_python(case: Case) -> Iterator[Outcome]:
    pattern = re.compile(r"(?<![\w./-])/usr/bin/python3(?![.\d])\s+(?:-m\s+(?:flask|alembic|pip)|manage\.py|\w+\.py)")
    for entry in scripts(case):
        for number, line in enumerate((entry.text or "").splitlines(), 1):
            if not line.lstrip().startswith("#") and pattern.search(line):
                yield Finding("/usr/bin/python3 is the system's 3.9", entry.path, number)


RULES: tuple[Rule, ...] = (
    Rule(
        "hooks/shebang",
        "A hook without an interpreter",
        "The platform runs a hook as a program; without #! the deployment fails with an exec format error.",
        "Begin it with `#!/usr/bin/env bash`, or the interpreter that it is written for.",
        _shebang,
    ),
    Rule(
        "hooks/syntax",
        "A hook that its shell does not understand",
        "It ends with an error when the deployment comes to it, and the deployment fails.",
        "Mend the line; `bash -n` shows the same.",
        _syntax,
    ),
    Rule(
        "hooks/line-ends",
        "A hook with the line ends of Windows",
        "Platforms since the end of 2022 convert them; on an older one the interpreter is not found.",
        "Save it with Unix line ends, and let .gitattributes keep them: `*.sh text eol=lf`.",
        _line_ends,
        "warning",
    ),
    Rule(
        "hooks/place",
        "A script where the platform does not look for hooks",
        "Hooks are run from .platform/hooks and .platform/confighooks, in prebuild, predeploy and "
        "postdeploy; this one never is.",
        "Move it into one of these folders.",
        _place,
        "warning",
    ),
    Rule(
        "hooks/environment-file",
        "A hook that reads the environment's file as a script",
        "A value with a blank, a quote or a dollar sign breaks it; hooks have all properties in their "
        "environment anyway.",
        "Use the variables as they are, or `/opt/elasticbeanstalk/bin/get-config environment -k NAME`.",
        _environment_file,
        "warning",
    ),
    Rule(
        "hooks/late-migration",
        "A migration after the new code serves",
        "Between the start of the new code and this hook every request that needs the new schema fails.",
        "Migrate in .platform/hooks/predeploy, in a way that the old code can run on.",
        _late_migration,
    ),
    Rule(
        "hooks/system-python",
        "A hook that runs the application with the system's Python",
        "The system's Python is 3.9 on every branch and has none of the application's packages.",
        "Name the virtual environment's, such as /var/app/venv/*/bin/python.",
        _system_python,
    ),
)
