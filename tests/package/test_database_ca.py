"""The hook that installs the certificates by which the database is known."""

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ebtools.rehearse.authority import authority

ROOT = Path(__file__).resolve().parents[2]
HOOK = "prebuild/20_database_ca.sh"
VALID, EXPIRED = timedelta(days=2), timedelta(days=-2)


def certificate(*, is_authority: bool = True, lifetime: timedelta = VALID) -> str:
    return authority(is_authority=is_authority, lifetime=lifetime).certificate


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Instance:
    """The hooks with the platform's path moved beneath a folder, and a server of bundles."""

    def __init__(self, folder: Path, url: str) -> None:
        self.served, self.url = folder / "served" / "bundle.pem", url
        self.target = folder / "pki" / "rds.pem"
        for tree in ("hooks", "confighooks"):
            shutil.copytree(ROOT / ".platform" / tree, folder / tree)
        for hook in folder.glob(f"*hooks/{HOOK}"):
            hook.write_text(hook.read_text().replace("/etc/pki/fastier/rds.pem", str(self.target)))
        self.folder = folder

    def run(self, tree: str = "hooks", **environ: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PGSSLROOTCERT": str(self.target),
            "FASTIER_DB_CA_URL": self.url,
            **environ,
        }
        command = [str(self.folder / tree / HOOK)]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    (tmp_path / "served").mkdir()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Instance(tmp_path, f"http://127.0.0.1:{server.server_port}/bundle.pem")
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize("tree", ["hooks", "confighooks"])
def test_a_bundle_of_authorities_is_installed_for_everybody_to_read(instance: Instance, tree: str) -> None:
    bundle = certificate() + certificate()
    instance.served.write_text(bundle)
    done = instance.run(tree)
    assert (done.returncode, done.stderr) == (0, "Fastier: installed 2 certificates of authorities for the database\n")
    assert instance.target.read_text() == bundle
    assert instance.target.stat().st_mode & 0o777 == 0o644
    assert instance.target.parent.stat().st_mode & 0o777 == 0o755


def test_a_newer_bundle_takes_the_place_of_the_installed_one(instance: Instance) -> None:
    for _ in range(2):
        instance.served.write_text(certificate())
        assert instance.run().returncode == 0
        assert instance.target.read_text() == instance.served.read_text()
    assert [path.name for path in instance.target.parent.iterdir()] == ["rds.pem"]


def _damaged() -> str:
    lines = certificate().splitlines(keepends=True)
    return "".join([lines[0], *lines[2:]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: certificate() + certificate(is_authority=False), "certificate 2 is not one of an authority"),
        (lambda: certificate() + _damaged(), "certificate 2 cannot be read"),
        (lambda: certificate().replace("-----END", "-----OFF"), "it is no list of certificates"),
        (lambda: certificate(lifetime=EXPIRED), "every certificate in it has expired"),
        (lambda: "<html>Welcome to this network</html>", "it is no list of certificates"),
        (lambda: "", "it is no list of certificates"),
    ],
)
def test_what_is_no_bundle_of_authorities_is_refused_and_the_installed_one_stays(
    instance: Instance, content: Callable[[], str], reason: str
) -> None:
    instance.served.write_text(content())
    done = instance.run()
    told = f"Fastier: what {instance.url} gives is refused: {reason}"
    assert (done.returncode, done.stderr) == (1, f"{told}, and none is installed; this version is not deployed\n")
    assert not instance.target.exists()
    good = certificate()
    instance.target.parent.mkdir(exist_ok=True)
    instance.target.write_text(good)
    done = instance.run()
    assert done.returncode == 0
    assert done.stderr.startswith(f"{told}; the installed bundle of 2")
    assert instance.target.read_text() == good


def test_an_expired_certificate_beside_a_valid_one_is_kept(instance: Instance) -> None:
    instance.served.write_text(certificate(lifetime=EXPIRED) + certificate())
    assert instance.run().returncode == 0
    assert instance.target.read_text() == instance.served.read_text()


def test_without_a_download_the_deployment_fails_unless_a_valid_bundle_is_there(instance: Instance) -> None:
    done = instance.run()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Fastier: {instance.url} could not be downloaded (curl:")
    assert line.endswith("and none is installed; this version is not deployed")
    instance.target.parent.mkdir()
    instance.target.write_text(certificate(lifetime=EXPIRED))
    assert instance.run().returncode == 1
    instance.target.write_text(certificate())
    done = instance.run(FASTIER_DB_CA_URL="http://127.0.0.1:1/bundle.pem")
    assert done.returncode == 0
    assert "the installed bundle of" in done.stderr


def test_whoever_names_another_file_is_left_alone(instance: Instance) -> None:
    for other in ("", "/etc/ssl/other.pem"):
        done = instance.run(PGSSLROOTCERT=other)
        assert (done.returncode, done.stderr) == (0, "")
    assert not instance.target.parent.exists()
