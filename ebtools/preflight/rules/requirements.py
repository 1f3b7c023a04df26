"""Rules about what pip installs: which file it takes, and whether its packages can be had on the platform."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache

from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule

FILE = "requirements.txt"
DEFAULT_PYTHON = "3.13"
_SECONDS = 240
# So many pins that cannot be had are named, for each processor.
_MOST_NAMED = 8
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
    yield from (outcome for kind, outcome in _asked(case) if kind != "source")


def _sources(case: Case) -> Iterator[Outcome]:
    installed = [str(each.document.get("packages")) for each in case.extensions if isinstance(each.document, dict)]
    if not any("gcc" in each for each in installed):
        yield from (outcome for kind, outcome in _asked(case) if kind == "source")


def _asked(case: Case) -> list[tuple[str, Outcome]]:
    """What pip says of each pin, asked once for all configurations of the same Python."""
    version = python_of(case)
    pins = [(line, text) for line, text in _lines(case) if "==" in text and "@" not in text]
    if not pins or any(finding for check in (_foreign, _source) for finding in check(case)):
        return []
    return case.bundle.once(f"wheels/{version}", lambda _: list(_installable(pins, version)))


def _installable(pins: list[tuple[int, str]], version: str) -> Iterator[tuple[str, Outcome]]:
    for architecture in _ARCHITECTURES:
        # pip names the first that it cannot have; so it is asked again without it, as often as is worth knowing.
        left = dict.fromkeys(re.sub(r"\s--hash=\S+", "", text).removesuffix("\\").strip() for _, text in pins)
        for _ in range(_MOST_NAMED):
            told = _pip("install", "--dry-run", *_as_on(version, architecture), *left)
            match = re.search(r"No matching distribution found for (\S+)", told)
            if match is None:
                if told:
                    yield "none", NotRun(f"pip failed: {told[:200]}")
                break
            yield _judged(match[1], version, architecture, pins)
            if not _reaches_index():
                return
            left = {each: None for each in left if not each.startswith(match[1])}


def _judged(pin: str, version: str, architecture: str, pins: list[tuple[int, str]]) -> tuple[str, Outcome]:
    # An index that cannot be reached looks to pip like one that has nothing.
    if not _reaches_index():
        return "none", NotRun("pip reaches no package index")
    line = next((number for number, text in pins if text.startswith(pin)), 0)
    name, _, wanted = pin.partition("==")
    where = f"for Python {version} on {architecture}"
    if wanted in _pip("index", "versions", name.partition("[")[0], is_output=True).replace(",", " ").split():
        return "source", Finding(f"{pin} has no wheel {where} and is built from its source", FILE, line)
    return "none", Finding(f"there is no {pin} {where}", FILE, line)


def _as_on(version: str, architecture: str) -> list[str]:
    tags = [part for each in _PLATFORMS for part in ("--platform", f"{each}_{architecture}")]
    python = ["--python-version", version, "--implementation", "cp", "--only-binary=:all:"]
    return ["--ignore-installed", "--no-deps", *python, *tags, "--target", "nowhere"]


def _pip(*arguments: str, is_output: bool = False) -> str:
    """What pip said against it, empty when it is content; with `is_output` what it answered."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=folder)
        except subprocess.TimeoutExpired:
            return f"it took more than {_SECONDS} s"
    if is_output:
        return done.stdout
    return "" if done.returncode == 0 else done.stderr.strip() or "it failed without a word"


@cache
def _reaches_index() -> bool:
    return "pip (" in _pip("index", "versions", "pip", is_output=True)


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
        "A version that cannot be had for the platform",
        "No index offers it for this Python and processor, so InstallDependency fails, and so does the deployment.",
        "Take a version that there is, or a platform that it is for.",
        _wheels,
    ),
    Rule(
        "requirements/source",
        "A package that is built on the instance",
        "A build needs time on every new instance, and one that needs a compiler fails, as there is none.",
        "Take a version with wheels, or install a compiler by packages: yum in .ebextensions where it needs one.",
        _sources,
        "warning",
    ),
)
