"""Rules about what is started: the Procfile's lines, and the application that they name."""

import re
import sys
from collections.abc import Iterator

from ebtools.preflight import python, server
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule
from ebtools.preflight.rules import proxy, requirements
from ebtools.preflight.server import PROCFILE, Process

# Commands that do one thing and end; the platform would start them again and again.
_ONCE = re.compile(
    r"\b(?:flask\s+db\s+\w+|alembic\s+upgrade|manage\.py\s+(?:migrate|collectstatic|createsuperuser|loaddata)"
    r"|pip3?\s+install|python[\d.]*\s+setup\.py)\b"
)
_TARGET = re.compile(r"^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::([A-Za-z_]\w*)(\(.*\))?)?$")
# Options of the servers that have no value; what follows any other one may be its value.
_SWITCHES = frozenset(
    "--preload --reload --daemon -D --capture-output --enable-stdio-inheritance --no-sendfile --reuse-port --factory "
    "--proxy-headers --no-access-log --access-log --no-server-header --no-control-socket --strip-header-spaces".split()
)
_TAKES_A_MODULE = ("-c", "--config", "-k", "--worker-class", "--logger-class", "--log-config")
# The port of a server that is told none, and the options that tell it.
_PORTS = {"waitress-serve": "8080"}
_FLASK_PORT = "5000"
# What needs a package beside the server itself, by the worker class's first part.
_WORKERS = {"gevent": "gevent", "eventlet": "eventlet", "uvicorn": "uvicorn", "uvicorn_worker": "uvicorn-worker"}
# Requirements that bring a server with them.
_BRINGS = {
    "uvicorn": ("fastapi[", "uvicorn-worker", "chainlit", "gradio", "litellm", "mlflow"),
    "hypercorn": ("quart",),
    "waitress-serve": ("mlflow", "pyramid"),
    "daphne": ("channels[",),
    "gevent": ("gunicorn[gevent", "locust"),
    "eventlet": ("gunicorn[eventlet",),
}


def _grammar(case: Case) -> Iterator[Outcome]:
    text = case.bundle.text(PROCFILE)
    if PROCFILE in case.bundle and text is None:
        yield Finding("it is not UTF-8", PROCFILE)
    for number, line in enumerate((text or "").splitlines(), 1):
        is_comment = line.lstrip().startswith("#")
        if line.startswith("\ufeff"):
            yield Finding("it begins with a byte order mark", PROCFILE, number)
        elif line.strip() and not is_comment and not server.LINE.match(line):
            yield Finding(f"the line {line.strip()[:60]!r} is no `name: command`", PROCFILE, number)


def _line_ends(case: Case) -> Iterator[Outcome]:
    for name in (PROCFILE, "Buildfile"):
        if b"\r" in (case.bundle.entries[name].content if name in case.bundle else b""):
            yield Finding("its lines end as on Windows", name, 1)


def _name(case: Case) -> Iterator[Outcome]:
    for path in sorted(case.bundle.entries):
        if path.lower() in ("procfile", "procfile.txt", "procfile.yml") and path != PROCFILE:
            yield Finding("the platform reads only a file named Procfile", path)


def _web(case: Case) -> Iterator[Outcome]:
    if not case.has_procfile or case.bundle.text(PROCFILE) is None or any(_grammar(case)):
        return
    names = [process.name for process in server.processes(case)]
    if "web" not in names:
        yield Finding(f"it starts {', '.join(names) or 'nothing'} and no web", PROCFILE)


def _once(case: Case) -> Iterator[Outcome]:
    for process in server.processes(case):
        last = re.split(r"&&|;|\|\||&", process.command)[-1]
        if match := _ONCE.search(last):
            yield Finding(f"{process.name} runs `{match[0]}`, which ends", process.file, process.line)


def _port(case: Case) -> Iterator[Outcome]:
    process, asked = server.web(case), proxy.upstream_ports(case)
    port = _listens(case, process) if process else None
    if process and port and asked and port[0] not in asked:
        yield Finding(f"web listens on {port[0]}, and the proxy asks {' or '.join(sorted(asked))}", *port[1])


def _listens(case: Case, process: Process) -> tuple[str, tuple[str, int]] | None:
    """The port, and where it is said; None where it is not plain, such as a variable or a socket."""
    where = (process.file, process.line)
    if process.server == "gunicorn":
        said = server.gunicorn(case, "bind", "")
        match = re.search(r":(\d+)$", said.text) if said else None
        return (match[1], (said.file, said.line)) if said and match else None
    if process.server:
        said_port = server.option(process.arguments, "--port", "-p", "--bind", "-b", "--listen")
        port = re.fullmatch(r"(?:.*:)?(\d+)", said_port or _PORTS.get(process.server, ""))
        return (port[1], where) if port else None
    if re.search(r"\bflask\s+(?:--\S+\s+\S+\s+)*run\b", process.command):
        if "FLASK_RUN_PORT" in case.properties or "$" in process.command:
            return None
        return server.option(process.words, "--port", "-p") or _FLASK_PORT, where
    return None


def target(case: Case, process: Process) -> tuple[str, str] | None:
    """Module and name of what a server is to serve; None where that is not plain."""
    before = ""
    for word in reversed(process.arguments):
        match = _TARGET.match(word)
        at = process.arguments.index(word)
        before = process.arguments[at - 1] if at else ""
        is_value = before in _TAKES_A_MODULE or (
            before.startswith("-") and before not in _SWITCHES and "=" not in before
        )
        if match and not word.isdigit() and (match[2] or not is_value) and before not in _TAKES_A_MODULE:
            return match[1], match[2] or ("application" if process.server == "gunicorn" else "")
    return None


def _target(case: Case) -> Iterator[Outcome]:
    process = server.web(case)
    if process is None or not process.server or process.folder is None:
        return
    module, name = target(case, process) or ("", "")
    fault = _fault(case, process, module, name) if module else ""
    if fault:
        yield Finding(fault, process.file or module_file(case, process, module) or "", process.line)


def module_file(case: Case, process: Process, module: str) -> str | None:
    """The file of a module as the server would find it."""
    path = "/".join(part for part in (process.folder or "", module.replace(".", "/")) if part)
    return next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in case.bundle), None)


def _fault(case: Case, process: Process, module: str, name: str) -> str:
    """Why `module:name` is not there; empty where it is, or where only running it would tell."""
    place = module_file(case, process, module)
    if place is None:
        # Without a Procfile another rule tells; a package may bring it, and a variable may lead elsewhere.
        is_own = process.file == PROCFILE and "PYTHONPATH" not in case.properties
        is_known = is_own and not _may_bring(case, module.split(".")[0].lower().replace("_", "-"))
        return f"there is no module {module}" if is_known else ""
    tree = python.parsed(case.bundle.text(place) or "")
    if tree is None:
        # The platform's Python may understand what this one does not.
        is_newer = tuple(map(int, requirements.python_of(case).split("."))) > sys.version_info[:2]
        return "" if is_newer else f"{place} is no Python"
    return "" if not name or python.defines(tree, name) else f"{place} has no {name}"


def _may_bring(case: Case, module: str) -> bool:
    """Whether a requirement may be what the module comes from."""
    return not requirements.is_plain(case) or any(module in name for name in requirements.names(case))


def _server(case: Case) -> Iterator[Outcome]:
    process = server.web(case)
    if process is None or not process.server or not requirements.is_plain(case):
        return
    needed = [] if process.server == "gunicorn" else [process.server]
    said = server.gunicorn(case, "worker_class", "")
    worker = _WORKERS.get(said.text.split(".")[0]) if said else None
    for name in [*needed, *([worker] if worker else [])]:
        package = name.removesuffix("-serve")
        text = case.bundle.text(requirements.FILE) or ""
        brings = any(each in text.lower() for each in _BRINGS.get(name, ()))
        if package not in requirements.names(case) and not brings:
            yield Finding(f"{package} is not in {requirements.FILE}", process.file, process.line)


def _config(case: Case) -> Iterator[Outcome]:
    process = server.web(case)
    if process is None or process.server != "gunicorn" or process.folder is None:
        return
    named = server.option(process.arguments, "-c", "--config")
    path = server.config_file(case)
    is_file = named and path and not re.search(r"^/|^python:|[$~*]", path)
    if is_file and path not in case.bundle and (named or "").removeprefix("./") not in case.bundle:
        yield Finding(f"{path} is not in the archive", process.file, process.line)


def _executable(case: Case) -> Iterator[Outcome]:
    for file in (PROCFILE, "Buildfile"):
        for number, line in enumerate((case.bundle.text(file) or "").splitlines(), 1):
            match = server.LINE.match(line.rstrip())
            first = match[2].split()[0].removeprefix("./") if match else ""
            entry = case.bundle.entries.get(first)
            # An archive made on Windows keeps no modes at all, which is not known to be wrong.
            if entry is not None and entry.mode and not entry.is_link and not entry.is_executable:
                yield Finding(f"{first} is not executable", file, number)


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
        "procfile/line-ends",
        "A Procfile with the line ends of Windows",
        "The carriage return may become a part of the command's last word, which then names nothing.",
        "Save it with Unix line ends, and let .gitattributes keep them: `Procfile text eol=lf`.",
        _line_ends,
        "warning",
    ),
    Rule(
        "procfile/name",
        "A Procfile that is not named so",
        "The name is case-sensitive: the platform starts its own command instead, with one worker.",
        "Name it Procfile, without an ending, at the archive's root.",
        _name,
        "warning",
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
        "procfile/server",
        "A server that nothing installs",
        "The platform brings gunicorn alone; another server, or a worker class of another package, ends at once with "
        "an import error, and requests get 502.",
        "Add it to requirements.txt.",
        _server,
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
        "A script of the Procfile or Buildfile that is not executable",
        "The platform marks hooks as executable and nothing else, so the process ends with `Permission denied`.",
        "Name its interpreter, as in `bash start.sh`, or mark it in git with `git update-index --chmod=+x`.",
        _executable,
    ),
    Rule(
        "procfile/not-executable",
        "A process that is no program",
        "The platform marks hooks as executable and nothing else, so it ends with `Permission denied`, again and again.",
        "Name its interpreter, as in `web: bash start.sh`, or mark it in git with `git update-index --chmod=+x`.",
        _executable,
    ),
)
