"""The only reader of the environment: settings, checked all at once before anything starts."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

Environment = Literal["development", "production"]

# A secret key shorter than this can be guessed; `make run` and the package generate longer ones.
SHORTEST_SECRET_KEY = 32

BUILD_FILE = Path(__file__).with_name("build.json")


class SettingsError(Exception):
    """Names every missing or wrong setting in one message, and repeats no value of any."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Fastier cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; secrets stay out of its repr."""

    environment: Environment
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    storage: Literal["local", "s3"] = "local"
    storage_path: Path = Path(".local/storage")
    s3_bucket: str | None = None
    mail: Literal["files", "ses"] = "files"
    mail_path: Path = Path(".local/mail")
    mail_sender: str = "Fastier <no-reply@localhost>"
    public_url: str = "http://127.0.0.1:8000"
    trusted_hops: int = 0
    rate_limit: int = 6000
    log_level: str = "INFO"
    bind: str = "127.0.0.1"
    port: int = 8000
    workers: int | None = None
    threads: int | None = None
    worker_memory: int | None = None
    version: str = "development"
    commit: str = "unknown"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check everything; raises SettingsError naming all faults together."""
        reader = _Reader(environ)
        settings = cls(
            environment=cast(Environment, reader.choice("FASTIER_ENV", ("development", "production"), "development")),
            database_url=reader.database_url(),
            secret_key=reader.secret_key(),
            storage=cast(Literal["local", "s3"], reader.choice("FASTIER_STORAGE", ("local", "s3"), "local")),
            storage_path=Path(environ.get("FASTIER_STORAGE_PATH") or ".local/storage"),
            s3_bucket=environ.get("FASTIER_S3_BUCKET") or None,
            mail=cast(Literal["files", "ses"], reader.choice("FASTIER_MAIL", ("files", "ses"), "files")),
            mail_path=Path(environ.get("FASTIER_MAIL_PATH") or ".local/mail"),
            mail_sender=environ.get("FASTIER_MAIL_SENDER") or "Fastier <no-reply@localhost>",
            public_url=reader.public_url(),
            trusted_hops=reader.number("FASTIER_TRUSTED_HOPS", 0, 0, 5) or 0,
            rate_limit=reader.number("FASTIER_RATE_LIMIT", 6000, 1, 10_000_000) or 6000,
            log_level=reader.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            bind=environ.get("FASTIER_BIND") or "127.0.0.1",
            port=reader.number("PORT", 8000, 1, 65535) or 8000,
            workers=reader.number("WEB_CONCURRENCY", None, 1, 64),
            threads=reader.number("FASTIER_THREADS", None, 1, 64),
            worker_memory=reader.number("FASTIER_WORKER_MEMORY", None, 16, 1_000_000),
            **_build(),
        )
        reader.check_together(settings)
        if reader.faults:
            raise SettingsError(reader.faults)
        return settings


class _Reader:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.environ.get(name) or default
        matches = [choice for choice in choices if choice.lower() == value.lower()]
        if not matches:
            self.faults.append(f"{name} must be one of {', '.join(choices)}")
        return (matches or [default])[0]

    def number(self, name: str, default: int | None, least: int, most: int) -> int | None:
        value = self.environ.get(name)
        if not value:
            return default
        if value.isascii() and value.isdigit() and least <= int(value[:9]) <= most:
            return int(value)
        self.faults.append(f"{name} must be a whole number from {least} to {most}")
        return default

    def secret_key(self) -> str:
        value = self.environ.get("FASTIER_SECRET_KEY", "")
        if value and len(value) < SHORTEST_SECRET_KEY:
            self.faults.append(f"FASTIER_SECRET_KEY must have at least {SHORTEST_SECRET_KEY} characters")
        if not value and self.environ.get("FASTIER_ENV", "").lower() == "production":
            self.faults.append("FASTIER_SECRET_KEY is missing; production needs one, the same on every instance")
        return value or self._development_key()

    def _development_key(self) -> str:
        """One that all instances of a coupled database share, else one that ends with the process."""
        password, host = self.environ.get("RDS_PASSWORD"), self.environ.get("RDS_HOSTNAME")
        if not (password and host):
            return secrets.token_urlsafe(48)
        # A person chose the password, so guessing it back from a signature must be costly.
        key = hashlib.scrypt(password.encode(), salt=f"fastier:{host}".encode(), n=2**14, r=8, p=1, dklen=32)
        return key.hex()

    def public_url(self) -> str:
        value = self.environ.get("FASTIER_PUBLIC_URL") or f"http://127.0.0.1:{self.environ.get('PORT') or 8000}"
        if not value.startswith(("http://", "https://")):
            self.faults.append("FASTIER_PUBLIC_URL must start with http:// or https://")
        return value.rstrip("/")

    def database_url(self) -> str:
        """DATABASE_URL, or Elastic Beanstalk's RDS_* variables, as a psycopg2 URL."""
        try:
            url = self._url_from_parts() if not self.environ.get("DATABASE_URL") else self._url_as_given()
        except (ArgumentError, ValueError):
            self.faults.append("DATABASE_URL must look like postgresql://user:password@host:5432/name")
            return ""
        return url.render_as_string(hide_password=False) if url else ""

    def _url_as_given(self) -> URL:
        url = make_url(self.environ["DATABASE_URL"])
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError("not PostgreSQL")
        return url.set(drivername="postgresql+psycopg2")

    def _url_from_parts(self) -> URL | None:
        names = ("RDS_HOSTNAME", "RDS_PORT", "RDS_DB_NAME", "RDS_USERNAME", "RDS_PASSWORD")
        missing = [name for name in names if not self.environ.get(name)]
        if missing:
            some = f" ({', '.join(missing)} missing)" if len(missing) < len(names) else ""
            self.faults.append(f"DATABASE_URL, or all of {', '.join(names)}, must be set{some}")
            return None
        port = self.number("RDS_PORT", 5432, 1, 65535)
        query = {"sslmode": self.environ.get("PGSSLMODE") or "require"}
        if root_certificate := self.environ.get("PGSSLROOTCERT"):
            query["sslrootcert"] = root_certificate
        return URL.create(
            "postgresql+psycopg2",
            self.environ["RDS_USERNAME"],
            self.environ["RDS_PASSWORD"],
            self.environ["RDS_HOSTNAME"],
            port,
            self.environ["RDS_DB_NAME"],
            query,
        )

    def check_together(self, settings: Settings) -> None:
        """What only several settings together, or production, make wrong."""
        if settings.storage == "s3" and not settings.s3_bucket:
            self.faults.append("FASTIER_S3_BUCKET is missing; FASTIER_STORAGE=s3 needs it")
        if not settings.is_production:
            return
        if settings.storage == "local":
            self.faults.append("FASTIER_STORAGE must be s3 in production; local files are lost with the instance")
        if settings.mail == "files":
            self.faults.append("FASTIER_MAIL must be ses in production; files reach nobody")
        if not settings.public_url.startswith("https://"):
            self.faults.append("FASTIER_PUBLIC_URL must start with https:// in production")
        if settings.database_url and make_url(settings.database_url).query.get("sslmode") != "verify-full":
            self.faults.append("the database's sslmode must be verify-full in production (DATABASE_URL or PGSSLMODE)")


def _build() -> dict[str, str]:
    """Version and commit as `ebtools bundle` wrote them; a work tree has no such file."""
    try:
        build = json.loads(BUILD_FILE.read_text())
    except FileNotFoundError:
        return {}
    return {"version": str(build["version"]), "commit": str(build["commit"])}
