"""Rules about the proxy's configuration, the most telling of which is what nginx itself says of it."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ebtools.preflight import proxy
from ebtools.preflight.bundle import Bundle, Entry
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, NotRun, Outcome, Rule

FOLDER = ".platform/nginx"
MAIN = f"{FOLDER}/nginx.conf"
# What the platform's own location asks where PORT says nothing else.
DEFAULT_PORT = 8000
_SECONDS = 20
_JUDGED = re.compile(r"\[(emerg|crit|alert)\] (?:\d+#\d+: )?(.*?) in (\S+):(\d+)")
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def files(bundle: Bundle) -> list[Entry]:
    """The files that the platform puts into /etc/nginx."""
    return [entry for entry in bundle.under(FOLDER) if entry.path.endswith(".conf")]


def _judge(case: Case) -> Iterator[Outcome]:
    if files(case.bundle) and _server(case) == "nginx":
        yield from case.bundle.once("proxy/nginx", lambda bundle: list(_judged(bundle)))


def _judged(bundle: Bundle) -> Iterator[Outcome]:
    program = shutil.which("nginx") or shutil.which("nginx", path=_PATH)
    if program is None:
        yield NotRun("nginx is not installed; on Debian: apt-get install nginx-light")
        return
    unread = [entry for entry in files(bundle) if entry.text is None]
    yield from (Finding("it is not UTF-8", entry.path) for entry in unread)
    if unread:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Bundle({entry.path: entry for entry in files(bundle)}).unpack(folder / "bundle")
        conf = proxy.assemble(folder / "bundle" / FOLDER, folder / "nginx", port=8080, upstream_port=DEFAULT_PORT)
        command = [program, "-t", "-p", str(conf.parent), "-c", str(conf)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            yield NotRun(f"nginx did not judge the configuration within {_SECONDS} s")
            return
    if done.returncode:
        yield _as_finding(done.stderr, conf.parent, bundle)


def _as_finding(told: str, root: Path, bundle: Bundle) -> Finding:
    """What nginx said, at the place in the bundle that it means."""
    match = _JUDGED.search(told)
    if match is None:
        # Where it names no place, it may have said before that the syntax is well.
        lines = sorted(told.strip().splitlines() or ["nginx refuses it"], key=lambda line: "[emerg]" not in line)
        return Finding(lines[0].replace(f"{root}/", ""))
    path = match[3].replace(str(root), FOLDER)
    is_own = path in bundle
    line = int(match[4]) if is_own else 0
    where = "" if is_own else f" (found in the platform's {path.removeprefix(FOLDER + '/')})"
    return Finding(match[2].replace(f"{root}/", "") + where, path if is_own else FOLDER, line)


def _server(case: Case) -> str:
    return case.value("aws:elasticbeanstalk:environment:proxy", "ProxyServer", "nginx").lower()


def _dead(case: Case) -> Iterator[Outcome]:
    for server in ("nginx", "httpd"):
        used = {"apache": "httpd"}.get(_server(case), _server(case))
        if used != server and (found := case.bundle.under(f".platform/{server}")):
            yield Finding(f"the proxy is {_server(case)}", found[0].path)
    for entry in case.bundle.under(".ebextensions/nginx"):
        yield Finding("only platforms before Amazon Linux 2 read it", entry.path)
        return


def _replaced(case: Case) -> Iterator[Outcome]:
    text = case.bundle.text(MAIN)
    if text is None or _server(case) != "nginx":
        return
    bare = re.sub(r"#.*", "", text)
    includes = re.findall(r"\binclude\s+([^;]+);", bare)
    if not any("conf.d/elasticbeanstalk" in each for each in includes):
        yield Finding("it replaces the platform's file and does not include conf.d/elasticbeanstalk/*.conf", MAIN)


def _keepalive(case: Case) -> Iterator[Outcome]:
    if MAIN in case.bundle or _server(case) != "nginx":
        return
    for entry in files(case.bundle):
        if entry.path.count("/") != 3:
            continue
        depth = 0
        for number, line in enumerate((entry.text or "").splitlines(), 1):
            bare = line.partition("#")[0]
            if depth == 0 and re.match(r"\s*keepalive_timeout\s", bare):
                yield Finding(
                    "keepalive_timeout of http is overridden by the platform's own of its server", entry.path, number
                )
            depth += bare.count("{") - bare.count("}")


def _upload(case: Case) -> Iterator[Outcome]:
    """Only where the application visibly takes files: a Flask limit above what the proxy lets through."""
    if _server(case) != "nginx" or any("client_max_body_size" in (entry.text or "") for entry in files(case.bundle)):
        return
    extensions = "".join((extension_text or "") for extension_text in map(case.bundle.text, _configs(case)))
    if "client_max_body_size" in extensions:
        return
    pattern = re.compile(r"MAX_CONTENT_LENGTH[\"'\]]*\s*=\s*(\d+)\s*\*\s*1024\s*\*\s*1024")
    for path, entry in sorted(case.bundle.entries.items()):
        if path.endswith(".py"):
            for number, line in enumerate((entry.text or "").splitlines(), 1):
                if (match := pattern.search(line)) and int(match[1]) > 1:
                    yield Finding(f"the application takes {match[1]} MiB, and the proxy 1", path, number)


def _configs(case: Case) -> list[str]:
    return [extension.file for extension in case.extensions]


RULES: tuple[Rule, ...] = (
    Rule(
        "proxy/refused",
        "A proxy configuration that nginx refuses",
        "The platform stops the proxy before it tests the new configuration: the instance stays down, the deployment "
        "fails.",
        "Mend the line; what the platform's own files have already cannot stand in an include again.",
        _judge,
    ),
    Rule(
        "proxy/not-read",
        "A proxy's configuration that nothing reads",
        "The platform takes the folder of the proxy that runs, and of no other.",
        "Move it to .platform/nginx, or set ProxyServer of aws:elasticbeanstalk:environment:proxy.",
        _dead,
        "warning",
    ),
    Rule(
        "proxy/without-includes",
        "An nginx.conf without the platform's includes",
        "The location of the application, static files and the health agent's log are gone: requests get "
        "nginx's welcome "
        "page, and enhanced health has no data.",
        "Include conf.d/elasticbeanstalk/*.conf within server, or add files to .platform/nginx/conf.d instead.",
        _replaced,
    ),
    Rule(
        "proxy/keepalive-without-effect",
        "A keepalive_timeout that has no effect",
        "The platform's server block sets 60 s, which wins; beside a load balancer that also keeps "
        "connections for 60 s, "
        "now and then a request meets one that is just being closed.",
        "Put it into a 00_application.conf in .platform/nginx/conf.d/elasticbeanstalk, within its location, "
        "or lower the "
        "load balancer's idle time.",
        _keepalive,
        "warning",
    ),
    Rule(
        "proxy/small-bodies",
        "A proxy that refuses what the application would take",
        "Bodies above 1 MB are answered with 413 before the application sees them.",
        "Set client_max_body_size in a file of .platform/nginx/conf.d.",
        _upload,
        "warning",
    ),
)
