"""This project's own bundle in every configuration: nothing is found in it."""

from pathlib import Path

from ebtools.bundle.contents import BUILD_FILE, TOP_LEVEL
from ebtools.preflight import configurations, engine, report
from ebtools.preflight.bundle import Bundle, Entry
from ebtools.preflight.catalogue import PROFILES

ROOT = Path(__file__).resolve().parents[2]


def files_of_the_work_tree() -> Bundle:
    """What `ebtools bundle` would take, as it is on the disk rather than as it was committed."""
    found = [path for name in TOP_LEVEL for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]
    entries = [
        Entry(str(path.relative_to(ROOT)), path.stat().st_mode, path.read_bytes())
        for path in found
        if "__pycache__" not in path.parts
    ]
    build = Entry(BUILD_FILE, 0o100644, b'{"commit": "0", "version": "0"}\n')
    return Bundle({entry.path: entry for entry in [*entries, build]})


def test_the_own_bundle_is_clean_in_every_configuration() -> None:
    platform = "Python 3.13 running on 64bit Amazon Linux 2023"
    saved = [configurations.read(path) for path in sorted((ROOT / configurations.SAVED).glob("*.cfg.yml"))]
    assert {one.name for one in saved} == {"development", "production", "staging"}
    found = engine.run(files_of_the_work_tree(), [configurations.plain(platform), *saved], PROFILES["fastier"])
    assert found.results == (), report.as_text(found, "the work tree", report.Style())
