"""The job runner as the Procfile starts it: it does what requests left for it, in JSON lines, and stops cleanly."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.lifecycle.conftest import ROOT
from tests.lifecycle.test_application import SECRET, Running, running

__all__ = ["running"]


def test_a_registration_is_answered_by_a_mail(running: Running, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": running.url,
        "FASTIER_SECRET_KEY": SECRET,
        "FASTIER_STORAGE_PATH": str(tmp_path / "storage"),
        "FASTIER_MAIL_PATH": str(tmp_path / "mail"),
        "FASTIER_PUBLIC_URL": "http://127.0.0.1:8000",
    }
    command = [sys.executable, "-m", "fastier", "jobs"]
    with (tmp_path / "jobs").open("wb") as log:
        runner = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        email = running.call("GET", "/api/v1/me")[1]["email"]

        def mailed() -> bool:
            return any(f"To: {email}" in path.read_text() for path in (tmp_path / "mail").glob("*.eml"))

        running.until(mailed, seconds=30)
    finally:
        runner.terminate()
        assert runner.wait(40) == 0
    (mail,) = [path.read_text() for path in (tmp_path / "mail").glob("*.eml") if f"To: {email}" in path.read_text()]
    # The link stands in the file as it is, whole and on a line of its own.
    (link,) = [line for line in mail.splitlines() if "/verify#" in line]
    secret = link.removeprefix("http://127.0.0.1:8000/verify#")
    assert running.call("POST", "/api/v1/auth/verify", {"token": secret})[0] == 204
    assert running.call("GET", "/api/v1/me")[1]["is_verified"] is True
    lines = [json.loads(line) for line in (tmp_path / "jobs").read_text().splitlines()]
    assert {"jobs_started", "job_done", "jobs_stopped"} <= {line["event"] for line in lines}
    assert secret not in (tmp_path / "jobs").read_text()
