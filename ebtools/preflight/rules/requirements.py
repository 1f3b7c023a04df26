"""Rules about what pip installs: which file it takes, and whether its packages can be had on the platform."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule

FILE = "requirements.txt"
DEFAULT_PYTHON = "3.13"
_SECONDS = 240
_ARCHITECTURES = ("x86_64", "aarch64")
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
# What pip freeze writes on a machine that is no instance.
_FOREIGN = re.compile(
    r"^(aws-cfn-bootstrap|pywin32|pywinpty|pywin32-ctypes|twisted-iocpsupport|pkg[-_]resources==0\.0\.0|"
    r"command-not-found|ufw==|python-apt|ubuntu-)",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"@\s*file:|^file:|^-e\s|^--editable|^git\+ssh:|@\s*git\+ssh:|^(?:\.\./|/|[A-Za-z]:\\)")
_FROM_SOURCE = {
    "psycopg2": "take psycopg2-binary, or install libpq-devel and gcc by packages: yum",
    "mysqlclient": "install mariadb105-devel and gcc by packages: yum, or take PyMySQL",
    "python-ldap": "install openldap-devel, cyrus-sasl-devel and gcc by packages: yum",
    "uwsgi": "install gcc and the platform's python3-devel by packages: yum, or take gunicorn",
}


def _lines(case: Case) -> list[tuple[int, str]]:
    """The requirements with the number of their first line, options and comments left out."""
    text = (case.bundle.text(FILE) or "").removeprefix("\ufeff")
    found: list[tuple[int, str]] = []
    is_continued = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        if bare and not is_continued and (not bare.startswith("-") or bare.startswith(("-e", "--editable"))):
            found.append((number, bare.removesuffix("\\").strip()))
        is_continued = bare.endswith("\\")
    return found


def _missing(case: Case) -> Iterator[Outcome]:
    if any(name in case.bundle for name in (FILE, "Pipfile", "Pipfile.lock")):
        return
    for name in ("pyproject.toml", "uv.lock", "poetry.lock", "setup.py"):
        if name in case.bundle:
            yield Finding(f"there is {name}, which the platform does not read, and no {FILE}", name)
            return


def _encoding(case: Case) -> Iterator[Outcome]:
    if FILE in case.bundle and case.bundle.text(FILE) is None:
        yield Finding("it is not UTF-8; PowerShell writes UTF-16 when output is sent to a file", FILE)


def _foreign(case: Case) -> Iterator[Outcome]:
    for number, line in _lines(case):
        if ";" not in line and (_FOREIGN.search(line)):
            yield Finding(f"{line.split('==')[0]} belongs to the machine that wrote this list", FILE, number)
        elif _ELSEWHERE.search(line):
            yield Finding(f"{line[:60]} lies where no instance finds it", FILE, number)


def _source(case: Case) -> Iterator[Outcome]:
    installed = " ".join(
        str(extension.document.get("packages")) for extension in case.extensions if isinstance(extension.document, dict)
    )
    # Whoever installs a compiler or headers has thought of it.
    if "gcc" in installed or "-devel" in installed:
        return
    for number, line in _lines(case):
        name = re.split(r"[=<>!~\[; ]", line, maxsplit=1)[0].lower().replace("_", "-")
        if name in _FROM_SOURCE:
            yield Finding(f"{name} is compiled on the instance, which has no compiler", FILE, number, _mend(name))


def _mend(name: str) -> str:
    advice = _FROM_SOURCE[name]
    return f"{advice[0].upper()}{advice[1:]}."


def _unpinned(case: Case) -> Iterator[Outcome]:
    loose = [(number, line) for number, line in _lines(case) if not re.search(r"[=]=|@|^-e|^git\+|https?:", line)]
    if loose:
        names = ", ".join(re.split(r"[<>!~\[; ]", line, maxsplit=1)[0] for _, line in loose[:5])
        more = f" and {len(loose) - 5} more" if len(loose) > 5 else ""
        yield Finding(f"no exact version of {names}{more}", FILE, loose[0][0])


def _hashes(case: Case) -> Iterator[Outcome]:
    text = case.bundle.text(FILE) or ""
    if "--hash=" not in text:
        return
    rows = re.sub(r"\\\s*\n", " ", re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)).splitlines()
    for row in rows:
        if row.strip() and not row.strip().startswith("-") and "--hash=" not in row:
            name = row.split()[0]
            number = next((at for at, line in enumerate(text.splitlines(), 1) if line.startswith(name)), 0)
            yield Finding(f"{name} has no hash, and others have", FILE, number)


def python_of(case: Case) -> str:
    """The platform's Python, by the configuration's platform or else a current one."""
    match = re.search(r"Python (\d+\.\d+)", case.configuration.platform)
    return match[1] if match else DEFAULT_PYTHON


def _wheels(case: Case) -> Iterator[Outcome]:
    if case.bundle.text(FILE) and not any(
        finding for check in (_foreign, _encoding, _source, _hashes) for finding in check(case)
    ):
        version = python_of(case)
        yield from case.bundle.once(f"wheels/{version}", lambda bundle: list(_installable(bundle, version)))


def _installable(bundle: Bundle, version: str) -> Iterator[Outcome]:
    for architecture in _ARCHITECTURES:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / FILE
            path.write_bytes(bundle.entries[FILE].content)
            tags = [part for each in _PLATFORMS for part in ("--platform", f"{each}_{architecture}")]
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--dry-run",
                "--ignore-installed",
                "--no-deps",
                "--quiet",
            ]
            command += ["--only-binary=:all:", "--python-version", version, "--implementation", "cp", *tags]
            command += ["--target", f"{name}/target", "--disable-pip-version-check", "--no-input", "-r", str(path)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=name)
            except subprocess.TimeoutExpired:
                yield NotRun(f"pip took more than {_SECONDS} s")
                return
        if done.returncode:
            yield _told(done.stderr, version, architecture)
            if "No matching distribution" not in done.stderr:
                return


def _told(stderr: str, version: str, architecture: str) -> Outcome:
    match = re.search(r"No matching distribution found for (\S+)", stderr)
    # An index that cannot be reached looks to pip like one that has nothing.
    if match and not _reaches_index():
        return NotRun("pip reaches no package index")
    if match:
        return Finding(f"no wheel of {match[1]} for Python {version} on {architecture}", FILE)
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")] or stderr.splitlines()[-1:]
    told = errors[0] if errors else "without a word"
    return NotRun(f"pip failed: {told[:200]}")


def _reaches_index() -> bool:
    command = [sys.executable, "-m", "pip", "index", "versions", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        return subprocess.run(command, capture_output=True, timeout=_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


RULES: tuple[Rule, ...] = (
    Rule(
        "requirements/not-read",
        "Dependencies in a file that the platform does not read",
        "The platform installs requirements.txt, Pipfile.lock or Pipfile and nothing else; the application "
        "then lacks its "
        "packages and ends at its first import.",
        "Write a requirements.txt, such as with `uv export` or `poetry export`.",
        _missing,
    ),
    Rule(
        "requirements/encoding",
        "A list of requirements that is not UTF-8",
        "It cannot be read, InstallDependency fails, and so does the deployment.",
        "Save it as UTF-8.",
        _encoding,
    ),
    Rule(
        "requirements/other-machine",
        "A requirement that only another machine has",
        "No index has it for Amazon Linux, InstallDependency fails, and so does the deployment.",
        "Take it out; write the list from what the project asks for and not from what a machine has.",
        _foreign,
    ),
    Rule(
        "requirements/compiler",
        "A package that is compiled on the instance",
        "There is no compiler and no library of it on the platform: pg_config or mysql_config is missing and "
        "the deployment "
        "fails.",
        "Take a package with wheels, or install the compiler and the library by packages: yum in .ebextensions.",
        _source,
    ),
    Rule(
        "requirements/unpinned",
        "A requirement without an exact version",
        "An instance that starts next month installs another version than those that run today.",
        "Pin every version, those of the packages' own requirements too.",
        _unpinned,
        "warning",
    ),
    Rule(
        "requirements/hashes",
        "A requirement without a hash beside others that have one",
        "With one hash pip demands all of them and installs nothing.",
        "Let the tool that wrote the list write all hashes.",
        _hashes,
    ),
    Rule(
        "requirements/wheels",
        "A package without a wheel for the platform",
        "It is compiled on the instance, which has no compiler, or finds no version at all; the deployment fails.",
        "Take a version that has one, or install a compiler and what it needs by packages: yum in .ebextensions.",
        _wheels,
    ),
)
