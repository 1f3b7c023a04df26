"""The only reader of the environment: settings, checked all at once before anything starts."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

Environment = Literal["development", "production"]
# Who logs in to the database: the owner makes the other three, which have what their work needs and no more.
DatabaseRole = Literal["owner", "migrate", "serve", "backup"]

# A secret key shorter than this can be guessed; `make run` and the package generate longer ones.
SHORTEST_SECRET_KEY = 32

ROLE_NAMES: dict[DatabaseRole, str] = {
    "migrate": "fastier_migrate",
    "serve": "fastier_serve",
    "backup": "fastier_backup",
}
# ARNs of secrets in Secrets Manager, each a JSON object of username and password.
SECRETS: dict[DatabaseRole, str] = {
    "serve": "FASTIER_DB_SECRET_ARN",
    "migrate": "FASTIER_DB_MIGRATE_SECRET_ARN",
    "backup": "FASTIER_DB_BACKUP_SECRET_ARN",
    "owner": "FASTIER_DB_OWNER_SECRET_ARN",
}

BUILD_FILE = Path(__file__).with_name("build.json")


class SettingsError(Exception):
    """Names every missing or wrong setting in one message, and repeats no value of any."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Fastier cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """A database, and who logs in: user and password stand in `url`, or else in the secret that `secret` names."""

    url: str = field(repr=False)
    secret: str | None = None


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
    database_secret: str | None = None
    # Those that differ from who serves.
    logins: Mapping[DatabaseRole, DatabaseLogin] = field(default_factory=dict, repr=False)
    version: str = "development"
    commit: str = "unknown"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    def login(self, role: DatabaseRole) -> DatabaseLogin:
        """How `role` reaches the database; where roles are not told apart, all of them log in as who serves."""
        return self.logins.get(role) or DatabaseLogin(self.database_url, self.database_secret)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check everything; raises SettingsError naming all faults together."""
        reader = _Reader(environ)
        logins = reader.logins()
        serve = logins.pop("serve")
        settings = cls(
            environment=cast(Environment, reader.choice("FASTIER_ENV", ("development", "production"), "development")),
            database_url=serve.url,
            database_secret=serve.secret,
            logins=logins,
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
        return _stretched(password, f"fastier:{host}").hex()

    def public_url(self) -> str:
        value = self.environ.get("FASTIER_PUBLIC_URL") or f"http://127.0.0.1:{self.environ.get('PORT') or 8000}"
        if not value.startswith(("http://", "https://")):
            self.faults.append("FASTIER_PUBLIC_URL must start with http:// or https://")
        return value.rstrip("/")

    def logins(self) -> dict[DatabaseRole, DatabaseLogin]:
        """Who serves, and every other role that logs in otherwise."""
        given = self._given_url()
        is_derived = self.choice("FASTIER_DB_ROLES", ("given", "derived"), "given") == "derived"
        named = self._secrets()
        if given is None:
            return {"serve": DatabaseLogin("")}
        if named:
            nobody = _render(given._replace(username=None, password=None))
            return {role: DatabaseLogin(nobody, arn) for role, arn in named.items()}
        return self._derived(given) if is_derived else {"serve": DatabaseLogin(_render(given))}

    def _secrets(self) -> dict[DatabaseRole, str]:
        named = {role: self.environ[name] for role, name in SECRETS.items() if self.environ.get(name)}
        for role, arn in named.items():
            if not arn.startswith("arn:") or ":secretsmanager:" not in arn:
                self.faults.append(f"{SECRETS[role]} must be the ARN of a secret in Secrets Manager")
        if named and "serve" not in named:
            self.faults.append(f"{SECRETS['serve']} is missing; the secrets of the other roles come beside it")
            named["serve"] = ""
        return named

    def _derived(self, owner: URL) -> dict[DatabaseRole, DatabaseLogin]:
        """A login for each role whose password all instances make of the owner's, and nobody can turn back."""
        if not (owner.password and owner.host):
            self.faults.append(
                "FASTIER_DB_ROLES=derived needs a host and a password to derive the roles' passwords from"
            )
            return {"serve": DatabaseLogin("")}
        key = _stretched(str(owner.password), f"fastier-roles:{owner.host}")
        logins: dict[DatabaseRole, DatabaseLogin] = {"owner": DatabaseLogin(_render(owner))}
        for role, name in ROLE_NAMES.items():
            password = hmac.digest(key, name.encode(), "sha256").hex()
            logins[role] = DatabaseLogin(_render(owner.set(username=name, password=password)))
        return logins

    def _given_url(self) -> URL | None:
        """DATABASE_URL, or Elastic Beanstalk's RDS_* variables, as a psycopg2 URL."""
        try:
            return self._url_from_parts() if not self.environ.get("DATABASE_URL") else self._url_as_given()
        except (ArgumentError, ValueError):
            self.faults.append("DATABASE_URL must look like postgresql://user:password@host:5432/name")
            return None

    def _url_as_given(self) -> URL:
        url = make_url(self.environ["DATABASE_URL"])
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError("not PostgreSQL")
        encryption = {name: value for name, value in self._encryption().items() if name not in url.query}
        return url.set(drivername="postgresql+psycopg2").update_query_dict(encryption)

    def _url_from_parts(self) -> URL | None:
        names = ["RDS_HOSTNAME", "RDS_PORT", "RDS_DB_NAME"]
        if not self.environ.get(SECRETS["serve"]):
            names += ["RDS_USERNAME", "RDS_PASSWORD"]
        missing = [name for name in names if not self.environ.get(name)]
        if missing:
            some = f" ({', '.join(missing)} missing)" if len(missing) < len(names) else ""
            self.faults.append(f"DATABASE_URL, or all of {', '.join(names)}, must be set{some}")
            return None
        return URL.create(
            "postgresql+psycopg2",
            self.environ.get("RDS_USERNAME"),
            self.environ.get("RDS_PASSWORD"),
            self.environ["RDS_HOSTNAME"],
            self.number("RDS_PORT", 5432, 1, 65535),
            self.environ["RDS_DB_NAME"],
            {"sslmode": "require"} | self._encryption(),
        )

    def _encryption(self) -> dict[str, str]:
        """libpq's own variables, so that what is checked here is what libpq does."""
        names = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
        return {option: self.environ[name] for option, name in names.items() if self.environ.get(name)}

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


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _stretched(password: str, salt: str) -> bytes:
    """A key of 32 bytes; a person chose the password, so guessing it back from the key must be costly."""
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)


def _build() -> dict[str, str]:
    """Version and commit as `ebtools bundle` wrote them; a work tree has no such file."""
    try:
        build = json.loads(BUILD_FILE.read_text())
    except FileNotFoundError:
        return {}
    return {"version": str(build["version"]), "commit": str(build["commit"])}
