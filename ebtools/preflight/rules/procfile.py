"""Rules about what is started: the Procfile's lines, and the application that they name."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ebtools.preflight.bundle import Bundle
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.python import defines

PROCFILE = "Procfile"
DEFAULT_PORT = "8000"
# What the platform itself demands of a line.
_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(\S.*)$")
_SERVERS = ("gunicorn", "uvicorn", "hypercorn", "waitress-serve", "daphne", "granian")
# Commands that do one thing and end; the platform would start them again and again.
_ONCE = re.compile(
    r"\b(?:flask\s+db\s+\w+|alembic\s+upgrade|manage\.py\s+(?:migrate|collectstatic|createsuperuser|loaddata)"
    r"|pip3?\s+install|python[\d.]*\s+setup\.py)\b"
)
_TARGET = re.compile(r"^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)(\(.*\))?$")
_BIND = re.compile(r"(?:-b|--bind)[= ]\s*(?:\[?[\w.:*]*\]?):(\d+)|--port[= ](\d+)")


def lines(case: Case) -> list[tuple[int, str, str]]:
    """Number, name and command of each line that the platform understands."""
    text = (case.bundle.text(PROCFILE) or "").removeprefix("\ufeff")
    found = [(number, _LINE.match(line.rstrip())) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, match[1], match[2]) for number, match in found if match]


def _grammar(case: Case) -> Iterator[Outcome]:
    text = case.bundle.text(PROCFILE)
    if PROCFILE in case.bundle and text is None:
        yield Finding("it is not UTF-8", PROCFILE)
    for number, line in enumerate((text or "").splitlines(), 1):
        is_comment = line.lstrip().startswith("#")
        if line.startswith("\ufeff"):
            yield Finding("it begins with a byte order mark", PROCFILE, number)
        elif line.strip() and not is_comment and not _LINE.match(line):
            yield Finding(f"the line {line.strip()[:60]!r} is no `name: command`", PROCFILE, number)


def _web(case: Case) -> Iterator[Outcome]:
    names = [name for _, name, _ in lines(case)]
    if names and "web" not in names:
        yield Finding(f"it starts {', '.join(names)} and no web", PROCFILE)


def _once(case: Case) -> Iterator[Outcome]:
    for number, name, command in lines(case):
        last = re.split(r"&&|;|\|\|", command)[-1]
        if match := _ONCE.search(last):
            yield Finding(f"{name} runs `{match[0]}`, which ends", PROCFILE, number)


def _port(case: Case) -> Iterator[Outcome]:
    expected = case.properties.get("PORT", DEFAULT_PORT)
    for number, name, command in lines(case):
        match = _BIND.search(command)
        port = (match[1] or match[2]) if match else None
        if name == "web" and port and port != expected:
            yield Finding(f"web listens on {port}, and the proxy asks {expected}", PROCFILE, number)


def _target(case: Case) -> Iterator[Outcome]:
    for number, name, command in lines(case):
        words = command.split()
        server = next((word for word in words if PurePosixPath(word).name in _SERVERS), None)
        if name != "web" or server is None or "--chdir" in command or "--pythonpath" in command or "cd " in command:
            continue
        for word in words[words.index(server) + 1 :]:
            if (target := _TARGET.match(word)) and (fault := _fault(case.bundle, target[1], target[2])):
                yield Finding(fault, PROCFILE, number)


def _fault(bundle: Bundle, module: str, name: str) -> str:
    """Why `module:name` is not there; empty where it is, or where only running it would tell."""
    path = module.replace(".", "/")
    place = next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in bundle), None)
    if place is None:
        # A module of an installed package is none of the bundle's.
        is_own = f"{path.split('/')[0]}.py" in bundle or any(bundle.under(path.split("/")[0])) or "/" not in path
        return f"there is no module {module}" if is_own else ""
    try:
        tree = ast.parse(bundle.text(place) or "")
    except SyntaxError as error:
        return f"{place} does not compile: line {error.lineno}"
    return "" if defines(tree, name) else f"{place} has no {name}"


def _config(case: Case) -> Iterator[Outcome]:
    for number, _, command in lines(case):
        for match in re.finditer(r"(?:^|\s)(?:-c|--config)[= ](?:file:)?([\w./-]+\.py)\b", command):
            if (
                "gunicorn" in command
                and not match[1].startswith("/")
                and match[1].removeprefix("./") not in case.bundle
            ):
                yield Finding(f"{match[1]} is not in the archive", PROCFILE, number)


def _executable(case: Case) -> Iterator[Outcome]:
    for number, name, command in lines(case):
        entry = case.bundle.entries.get(command.split()[0].removeprefix("./"))
        # An archive made on Windows keeps no modes at all, which is not known to be wrong.
        if entry is not None and entry.mode and not entry.is_executable:
            yield Finding(f"{name} runs {entry.path}, which is not executable", PROCFILE, number)


RULES: tuple[Rule, ...] = (
    Rule(
        "procfile/grammar",
        "A line of the Procfile that the platform does not take",
        "The platform checks each line against a fixed form and fails the deployment on another.",
        "Write `name: command`, the name of letters, digits, dashes and underscores, in UTF-8 without a byte "
        "order mark.",
        _grammar,
    ),
    Rule(
        "procfile/no-web",
        "A Procfile without a web process",
        "Only the process named web is asked by the proxy; without it every request is answered with 502.",
        "Name the line that serves requests `web`.",
        _web,
    ),
    Rule(
        "procfile/ends",
        "A process that ends",
        "Every line is a daemon that the platform starts again when it ends, so this runs in a loop for as long as the "
        "instance lives.",
        "Run it in a hook under .platform/hooks/predeploy or as a container command.",
        _once,
    ),
    Rule(
        "procfile/port",
        "A server on another port than the proxy asks",
        "The proxy sends requests to 8000, or to the environment property PORT; every one of them is "
        "answered with 502.",
        "Bind to 127.0.0.1:8000, or set PORT to the same number.",
        _port,
    ),
    Rule(
        "procfile/target",
        "A server that is told to serve what is not there",
        "The server ends at once, the deployment fails with `failed to read file /var/pids/web.pid`, or "
        "requests get 502.",
        "Name the module by its path in the archive and the name that it gives the application, as in `module:name`.",
        _target,
    ),
    Rule(
        "procfile/config",
        "A server's configuration file that is not in the archive",
        "The server ends at once, and the deployment fails.",
        "Add the file to the archive, or name the right one.",
        _config,
    ),
    Rule(
        "procfile/not-executable",
        "A process that is no program",
        "The platform marks hooks as executable and nothing else, so it ends with `Permission denied` for ever.",
        "Name its interpreter, as in `web: bash start.sh`, or mark it in git with `git update-index --chmod=+x`.",
        _executable,
    ),
)
