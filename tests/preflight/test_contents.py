"""What an archive holds: one fault for each rule."""

import zipfile
from pathlib import Path

import pytest

from ebtools.preflight import engine
from ebtools.preflight.bundle import LARGEST_ARCHIVE, Bundle, BundleError
from ebtools.preflight.configurations import plain
from tests.preflight.bundles import CLEAN, EXTENSION, OPTIONS, RULES, bundle, places, with_link

PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NO_PROCFILE: dict[str, str | bytes | None] = {"Procfile": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"venv/bin/python": "x", "venv/pyvenv.cfg": ""}, ("contents/needless", "venv", 0)),
        ({"web/node_modules/a/index.js": ""}, ("contents/needless", "web/node_modules", 0)),
        ({".git/HEAD": "ref: refs/heads/main\n"}, ("contents/needless", ".git", 0)),
        ({"app/__pycache__/a.cpython-311.pyc": "x"}, ("contents/needless", "app/__pycache__", 0)),
        ({"/etc/passwd": ""}, ("contents/path", "/etc/passwd", 0)),
        ({"static\\logo.svg": ""}, ("contents/path", "static\\logo.svg", 0)),
        ({"../outside.py": ""}, ("contents/path", "../outside.py", 0)),
        ({"na├»ve.py": ""}, ("contents/name-encoding", "na├»ve.py", 0)),
        ({"Application.py": ""}, ("contents/case", "application.py", 0)),
        ({**NO_PROCFILE, "application.py": None}, ("contents/no-application", "", 0)),
        ({".env": "A=1"}, ("secrets/in-file", ".env", 0)),
        ({"app/keys.py": f"KEY = '''\n{PRIVATE_KEY}'''"}, ("secrets/in-file", "app/keys.py", 2)),
        (
            {EXTENSION: 'files:\n  "/opt/elasticbeanstalk/hooks/appdeploy/post/99_x.sh":\n    content: "true"\n'},
            ("leftovers/hooks", EXTENSION, 2),
        ),
        (
            {".platform/hooks/predeploy/20_a.sh": "#!/bin/sh\nsource /opt/python/run/venv/bin/activate\n"},
            ("leftovers/path", ".platform/hooks/predeploy/20_a.sh", 2),
        ),
        (
            {EXTENSION: 'files:\n  "/etc/httpd/conf.d/wsgi_custom.conf":\n    content: "x"\n'},
            ("leftovers/path", EXTENSION, 2),
        ),
    ],
)
def test_a_fault_is_found_and_nothing_else(
    changes: dict[str, str | bytes | None], expected: tuple[str, str, int]
) -> None:
    assert places(bundle(changes)) == [expected]


def wsgi(value: str) -> dict[str, str | bytes | None]:
    content = f"option_settings:\n  aws:elasticbeanstalk:container:python:\n    WSGIPath: {value}\n"
    return {**NO_PROCFILE, EXTENSION: content}


def test_a_wsgi_path_names_a_module_that_is_there() -> None:
    assert places(bundle(wsgi("missing.wsgi:app"))) == [("contents/no-application", EXTENSION, 3)]
    assert places(bundle({**wsgi("site.wsgi:application"), "site/wsgi.py": ""})) == []
    assert places(bundle({**wsgi("site:application"), "site/__init__.py": ""})) == []


def test_a_wsgi_path_that_is_a_file_is_of_an_older_platform() -> None:
    assert places(bundle({**wsgi("site/wsgi.py"), "site/wsgi.py": ""})) == [("contents/wsgi-path", EXTENSION, 3)]


def test_everything_in_one_folder_is_told_once() -> None:
    files = {f"project/{path}": content for path, content in CLEAN.items()}
    assert places(Bundle.of_files(files)) == [("contents/top-level-folder", "", 0)]


def test_an_archive_beyond_what_is_taken_is_told() -> None:
    clean = bundle()
    assert places(Bundle(clean.entries, LARGEST_ARCHIVE)) == []
    assert places(Bundle(clean.entries, LARGEST_ARCHIVE + 1)) == [("contents/too-large", "", 0)]


@pytest.mark.parametrize("target", ["/usr/bin/python3", "../../shared", "missing.py"])
def test_a_link_that_leads_nowhere_is_told(target: str) -> None:
    assert places(with_link("link.py", target)) == [("contents/link", "link.py", 0)]


@pytest.mark.parametrize("target", ["application.py", ".platform/hooks"])
def test_a_link_within_the_archive_is_fine(target: str) -> None:
    assert places(with_link("link", target)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {".env.example": "SECRET_KEY=\n"},
        {"certificates/global-bundle.pem": CERTIFICATE},
        {"static/naïve.css": ""},
        {".ebextensions/01-options.config": f"# not /opt/python/run/venv any more\n{OPTIONS}"},
        {".ebextensions/01-options.config": None},
        {"environment/settings.py": ""},
    ],
)
def test_what_only_resembles_a_fault_is_fine(changes: dict[str, str | bytes | None]) -> None:
    assert places(bundle(changes)) == []


def test_every_rule_about_contents_has_its_fault() -> None:
    """Named here, so that a new rule without a test is noticed."""
    assert {rule.id for rule in RULES if rule.id.startswith(("contents/", "leftovers/"))} == {
        "contents/too-large",
        "contents/top-level-folder",
        "contents/needless",
        "contents/link",
        "contents/path",
        "contents/name-encoding",
        "contents/case",
        "contents/no-application",
        "contents/wsgi-path",
        "leftovers/hooks",
        "leftovers/path",
    }


def test_an_archive_is_read_with_its_links_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Procfile", "web: gunicorn application\n")
        link = zipfile.ZipInfo("application.py")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/nowhere.py")
    assert places(Bundle.of_archive(path)) == [("contents/link", "application.py", 0)]


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_text("no archive")
    with pytest.raises(BundleError, match="cannot be read as a zip archive"):
        Bundle.of_archive(path)


def test_two_configurations_say_the_same_thing_once() -> None:
    report = engine.run(bundle({".env": "A=1"}), [plain(), plain("other")], RULES)
    assert len(report.results) == 1
