"""The documentation says what the code does: settings, and the README's first five minutes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_setting_is_documented_and_no_other() -> None:
    source = (ROOT / "fastier" / "settings.py").read_text()
    read = set(re.findall(r'"((?:FASTIER|RDS|PGSSL)\w*|DATABASE_URL|PORT|WEB_CONCURRENCY|LOG_LEVEL)"', source))
    told = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text().split("boto3 reads")[0]))
    assert read == told - {"DEBUG", "INFO", "WARNING", "ERROR", "PORT"} | {"PORT"}


def test_only_the_settings_module_reads_the_environment() -> None:
    allowed = {"application.py", "gunicorn.conf.py", "__main__.py"}
    sources = [*ROOT.glob("*.py"), *(ROOT / "fastier").rglob("*.py")]
    readers = {path.name for path in sources if re.search(r"os\.environ|getenv", path.read_text())}
    assert readers <= allowed
