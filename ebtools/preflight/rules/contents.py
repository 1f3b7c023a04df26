"""Rules about what an archive holds: its layout, its names, and what does not belong into it."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from ebtools.preflight.bundle import LARGEST_ARCHIVE, Entry
from ebtools.preflight.case import Case
from ebtools.preflight.findings import Finding, Outcome, Rule

# Any of these at the root says that this is where the application is.
_ROOT_FILES = ("Procfile", "application.py", "requirements.txt", "Pipfile", ".ebextensions", ".platform", "manage.py")
_WSGI = ("aws:elasticbeanstalk:container:python", "WSGIPath")
# What an instance makes anew or never reads; a folder's name anywhere in a path.
_NEEDLESS = {
    ".git": "the whole history of the repository",
    ".hg": "the whole history of the repository",
    ".svn": "the whole history of the repository",
    ".elasticbeanstalk": "settings of the EB CLI",
    "__pycache__": "compiled files of another machine",
    ".venv": "a virtual environment of another machine",
    "venv": "a virtual environment of another machine",
    "virtualenv": "a virtual environment of another machine",
    "node_modules": "packages of Node.js",
    ".mypy_cache": "a tool's cache",
    ".pytest_cache": "a tool's cache",
    ".ruff_cache": "a tool's cache",
    ".tox": "a tool's environments",
    ".DS_Store": "a file of the Finder",
    "__MACOSX": "what macOS adds to archives",
}
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def _too_large(case: Case) -> Iterator[Outcome]:
    size = case.bundle.archive_bytes
    if size > LARGEST_ARCHIVE:
        largest = max(case.bundle.entries.values(), key=lambda entry: len(entry.content))
        yield Finding(f"the archive has {size:,} bytes; the largest file is {largest.path}")


def _top_folder(case: Case) -> Iterator[Outcome]:
    top = case.bundle.top_level - {"__MACOSX", ".DS_Store"}
    if len(top) != 1:
        return
    (folder,) = top
    within = {path.split("/")[1] for path in case.bundle.entries if path.startswith(f"{folder}/")}
    # A lone package may well be all there is; what belongs to the root beneath it is no accident.
    if within.intersection(_ROOT_FILES) and folder not in _ROOT_FILES:
        yield Finding(f"everything lies in the folder {folder}")


def _needless(case: Case) -> Iterator[Outcome]:
    found: dict[str, tuple[str, int]] = {}
    for path in case.bundle.entries:
        parts = path.split("/")
        name = next((part for part in parts if part in _NEEDLESS), None)
        if name is not None:
            place = "/".join(parts[: parts.index(name) + 1])
            found[place] = (_NEEDLESS[name], found.get(place, ("", 0))[1] + 1)
    for place, (what, count) in sorted(found.items()):
        files = f" in {count:,} files" if count > 1 else ""
        yield Finding(f"the archive ships {what}{files}", place)


def _links(case: Case) -> Iterator[Outcome]:
    folders = {str(parent) for path in case.bundle.entries for parent in PurePosixPath(path).parents}
    for entry in _all_links(case):
        target = entry.content.decode("utf-8", "replace")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
        if target.startswith("/") or place.split("/")[0] == "..":
            yield Finding(f"it is a link out of the archive, to {target}", entry.path)
        elif place not in case.bundle and place not in folders:
            yield Finding(f"it is a link to {target}, which is not in the archive", entry.path)


def _all_links(case: Case) -> Iterator[Entry]:
    return (entry for entry in case.bundle.entries.values() if entry.is_link)


def _paths(case: Case) -> Iterator[Outcome]:
    for path in case.bundle.entries:
        if path.startswith("/") or _DRIVE.match(path):
            yield Finding("its path is absolute", path)
        elif "\\" in path:
            yield Finding("its path is written with backslashes", path)
        elif ".." in path.split("/"):
            yield Finding("its path leads out of the archive", path)


def _names(case: Case) -> Iterator[Outcome]:
    for path in case.bundle.entries:
        # Without the archive's mark for UTF-8 a name is read as cp437, in which it still has its bytes.
        if not path.isascii() and _was_utf8(path):
            yield Finding("its name is UTF-8 and the archive does not say so", path)


def _was_utf8(path: str) -> bool:
    try:
        return not path.encode("cp437").decode("utf-8").isascii()
    except UnicodeError:
        return False


def _case(case: Case) -> Iterator[Outcome]:
    named: defaultdict[str, list[str]] = defaultdict(list)
    for path in case.bundle.entries:
        named[path.casefold()].append(path)
    for paths in named.values():
        for path in sorted(paths)[1:]:
            yield Finding(f"it differs from {min(paths)} by case only", path)


def _application(case: Case) -> Iterator[Outcome]:
    if case.has_procfile or any(_top_folder(case)):
        return
    setting = case.chosen.get(_WSGI)
    module = (setting.text if setting else "application").split(":")[0].strip()
    if _has_module(case, module):
        return
    if setting is not None:
        yield Finding(f"there is no module {module}", setting.file, setting.line)
    else:
        yield Finding("there is neither a Procfile nor application.py, and no WSGIPath names another module")


def _has_module(case: Case, module: str) -> bool:
    """A module as a file or a package; with slashes it is the form of older platforms, which another rule tells."""
    path = module.removesuffix(".py").replace(".", "/")
    return f"{path}.py" in case.bundle or f"{path}/__init__.py" in case.bundle or module in case.bundle


def _wsgi_form(case: Case) -> Iterator[Outcome]:
    setting = case.chosen.get(_WSGI)
    if setting is None or case.has_procfile or setting.is_computed:
        return
    module = setting.text.split(":")[0]
    if module.endswith(".py") or "/" in module:
        dotted = module.removesuffix(".py").replace("/", ".")
        yield Finding(f"{setting.text!r} is a file, not a module", setting.file, setting.line, f"Write {dotted}.")


RULES = (
    Rule(
        "contents/too-large",
        "An archive beyond 500 MB",
        "Elastic Beanstalk takes no larger application version.",
        "Leave out what an instance does not need; large data belongs into S3.",
        _too_large,
    ),
    Rule(
        "contents/top-level-folder",
        "An archive whose files all lie in one folder",
        "The platform looks for Procfile, requirements.txt and .ebextensions at the archive's root, and finds nothing.",
        "Make the archive from within the folder.",
        _top_folder,
    ),
    Rule(
        "contents/needless",
        "Files that an instance does not need",
        "They make each deployment slower, and may hold what nobody meant to publish; with a .ebignore the EB CLI no "
        "longer reads .gitignore, so that untracked files are shipped.",
        "Exclude them: by .ebignore where there is one, else by .gitignore and git rm --cached.",
        _needless,
        "warning",
    ),
    Rule(
        "contents/link",
        "A link that leads nowhere on an instance",
        "What it names on this machine is not there, or is something else.",
        "Put the file itself into the archive.",
        _links,
    ),
    Rule(
        "contents/path",
        "A path that an instance cannot unpack",
        "unzip takes a backslash for a part of the name, and refuses or strips absolute paths.",
        "Make the archive with relative paths and slashes; on Windows with the EB CLI or git archive.",
        _paths,
    ),
    Rule(
        "contents/name-encoding",
        "A name that is not marked as UTF-8",
        "unzip on the instance may write it otherwise, and the application does not find the file.",
        "Use names of ASCII letters, or a program that marks UTF-8.",
        _names,
        "warning",
    ),
    Rule(
        "contents/case",
        "Two names that differ by case only",
        "On the instance they are two files; on the machines of those with macOS or Windows only one of them exists.",
        "Rename one of them.",
        _case,
        "warning",
    ),
    Rule(
        "contents/no-application",
        "An archive without an application",
        "The platform starts gunicorn with the module application, or the one of WSGIPath; it is missing, the server "
        "ends at once, and nginx answers 502.",
        "Add a Procfile, an application.py, or set WSGIPath to module:callable.",
        _application,
    ),
    Rule(
        "contents/wsgi-path",
        "A WSGIPath in the form of older platforms",
        "Since Amazon Linux 2 gunicorn imports it as a module; a file's path fails at the start: 502 for everybody.",
        "Write package.module:callable.",
        _wsgi_form,
    ),
)
