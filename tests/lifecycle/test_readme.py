"""The README's first five minutes work as they are written."""

import re
import subprocess
from pathlib import Path

from tests.lifecycle.conftest import ROOT
from tests.lifecycle.test_application import Running, running

__all__ = ["running"]


def test_the_first_five_minutes_work_as_written(running: Running, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    chapter = readme.split("## The first five minutes")[1].split("\n## ")[0]
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"```bash\n(.*?)```", chapter, re.DOTALL))
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{running.port}")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"title":"Coffee"' in done.stdout
    assert '"total":1' in done.stdout
    assert "304\n" in done.stdout
    assert '"status":"ready"' in done.stdout
    assert done.stdout.endswith("two bags, whole beans\n")
