"""Where the local stack keeps what survives a restart: beneath `.local`, or where a server's account can reach it."""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ebtools.local.account import Account, server_account
from ebtools.local.errors import LocalError

# For data that cannot lie in the project: PostgreSQL's account would not get through a folder above it.
ELSEWHERE = Path("/var/lib/fastier")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and small files of one project's stack."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / ".local"

    @property
    def storage(self) -> Path:
        return self.home / "storage"

    @property
    def mail(self) -> Path:
        return self.home / "mail"

    @property
    def elsewhere(self) -> Path:
        return ELSEWHERE / hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:12]

    def make(self) -> None:
        """Make the folders; what users upload and are mailed is nobody else's business."""
        self.home.mkdir(exist_ok=True)
        for folder in (self.storage, self.mail):
            folder.mkdir(mode=0o700, exist_ok=True)
        (self.home / "log").mkdir(exist_ok=True)

    def log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    def database(self) -> tuple[Path, Account | None]:
        """The data folder of PostgreSQL, made or not, and the account that the server runs as."""
        usual = self.home / "postgres"
        account = server_account(usual)
        if account is None or account.can_pass(self.home):
            return usual, account
        for folder in (ELSEWHERE, self.elsewhere):
            folder.mkdir(exist_ok=True)
            # These folders are ours, so a strict umask of ours must not close them to the server.
            folder.chmod(0o755)
        return self.elsewhere / "postgres", server_account(self.elsewhere / "postgres")

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """A small secret that is made once, readable by its owner alone."""
        path = self.home / name
        if not path.exists() or not path.read_text():
            unfinished = path.with_name(f"{name}.{os.getpid()}")
            unfinished.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
            unfinished.write_text(make())
            unfinished.rename(path)
        return path.read_text()

    def forget(self, name: str) -> None:
        (self.home / name).unlink(missing_ok=True)

    def secret_key(self) -> str:
        return self.kept("secret-key", lambda: secrets.token_urlsafe(48))

    def require_room(self, folder: Path, megabytes: int) -> None:
        """LocalError when less than `megabytes` are left there."""
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free // 2**20
        if free < megabytes:
            raise LocalError(f"The disk is full: {free} MB are left for {folder}, {megabytes} MB are needed.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Held while the stack runs; the kernel frees it however we end, so it cannot go stale."""
        with (self.home / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                pid = lock.read().strip() or "unknown"
                raise LocalError(
                    f"Fastier already runs from this folder (process {pid}); stop it with Ctrl-C there, or: kill {pid}"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
            lock.truncate(0)

    def delete_data(self) -> None:
        """Delete the database, files and mails; the tools that `make lock` installed stay."""
        with self.locked():
            for folder in (self.home / "postgres", self.storage, self.mail, self.home / "log", self.elsewhere):
                if folder.exists():
                    shutil.rmtree(folder)
            for name in ("secret-key", "postgres-password", "postgres-port"):
                self.forget(name)
