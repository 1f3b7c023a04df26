"""User and password from a secret, read again when the server refuses them, so that a rotation breaks no request."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import psycopg2
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from fastier.settings import DatabaseLogin

TIMEOUTS = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})
# A secret that was no help is not asked again at once by every connection that fails.
PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and its password, which stays out of the repr."""

    user: str
    password: str = field(repr=False)


class SecretCredentials:
    """What one secret says, kept until the server refuses it; one thread reads while the others wait for it."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._lock = threading.Lock()
        self._kept: Credentials | None = None
        self._in_vain: tuple[float, str] | None = None
        self._client: Any = None

    def prepare(self) -> None:
        """Make the client before processes fork, which then share it: it takes long, and ten MiB, but asks nobody.

        So none has to be made in each of them at the moment at which all of them find the password changed.
        """
        # Where it cannot be made yet, the first who reads tries again, and says why not.
        with suppress(BotoCoreError, ValueError):
            self._client = self._connect()

    def current(self) -> Credentials:
        """The kept ones, read at the first call; psycopg2.OperationalError when the secret cannot be read."""
        with self._lock:
            if self._kept is None:
                self._refuse_while_in_vain()
                self._kept = self._read("AWSCURRENT")
            return self._kept

    def after_refusal(self, refused: Credentials) -> Credentials:
        """What to try instead, or `refused` itself where the secret has nothing newer."""
        with self._lock:
            if self._kept is None or self._kept != refused:
                return self._kept or refused
            self._refuse_while_in_vain()
            self._kept = self._newer_than(refused)
            if self._kept == refused:
                self._in_vain = (time.monotonic(), "the server refuses what it says")
            return self._kept

    def _newer_than(self, refused: Credentials) -> Credentials:
        """A rotation changes the server first and the secret's label some seconds later: then it is the pending one."""
        found = self._read("AWSCURRENT")
        return found if found != refused else self._read("AWSPENDING", default=refused)

    def _refuse_while_in_vain(self) -> None:
        if self._in_vain and time.monotonic() - self._in_vain[0] < PATIENCE_SECONDS:
            raise psycopg2.OperationalError(f"the database's secret is of no use: {self._in_vain[1]}")

    def _read(self, stage: str, default: Credentials | None = None) -> Credentials:
        try:
            return _parse(self._fetch(stage))
        except ClientError as error:
            reason = str(error.response.get("Error", {}).get("Code"))
            if default is not None and reason == "ResourceNotFoundException":
                return default
        except (BotoCoreError, ValueError) as error:
            reason = type(error).__name__ if isinstance(error, BotoCoreError) else str(error)
        self._in_vain = (time.monotonic(), reason)
        raise psycopg2.OperationalError(f"the database's secret cannot be read: {reason}")

    def _fetch(self, stage: str) -> str:
        if self._client is None:
            self._client = self._connect()
        try:
            return str(self._client.get_secret_value(SecretId=self._arn, VersionStage=stage).get("SecretString"))
        finally:
            # Calls are rare: the client stays and its connection goes, so that none is ever shared by a fork.
            self._client.close()

    def _connect(self) -> Any:
        session = boto3.Session()
        # A client that has found no credentials would never look for them again.
        if session.get_credentials() is None:
            raise NoCredentialsError
        return session.client("secretsmanager", region_name=self._arn.split(":")[3] or None, config=TIMEOUTS)


def _parse(text: str) -> Credentials:
    """From `{"username": …, "password": …}`, as RDS itself writes it; ValueError, without the text, for all else."""
    try:
        document = json.loads(text)
        found = Credentials(document["username"], document["password"])
    except (ValueError, KeyError, TypeError):
        found = Credentials("", "")
    if not all(isinstance(value, str) and value for value in (found.user, found.password)):
        raise ValueError("it is no JSON object with username and password")
    return found


def listen(engine: Engine, credentials: SecretCredentials) -> None:
    """Let every new connection log in with these, and once more with newer ones when they are refused."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        def attempt(login: Credentials) -> Any:
            return dialect.connect(*arguments, **{**parameters, "user": login.user, "password": login.password})

        return _with_newest(credentials, attempt)


def _with_newest(credentials: SecretCredentials, attempt: Callable[[Credentials], Any]) -> Any:
    login = credentials.current()
    try:
        return attempt(login)
    except psycopg2.OperationalError as error:
        if not is_refusal(error, login.user):
            raise
        newer = credentials.after_refusal(login)
        if newer == login:
            raise
    return attempt(newer)


def is_refusal(error: psycopg2.OperationalError, user: str) -> bool:
    """Whether the server answered and named the user; psycopg2 gives no SQLSTATE for a connection that never was.

    In every language of the server the texts of 28P01 and 28000 name the user; those of other refusals at this point
    do not. What stands before "failed: " is the client's own and names the host.
    """
    return user in str(error).partition("failed: ")[2]


def complete_url(login: DatabaseLogin) -> str:
    """The URL with user and password in it, for a program that connects once, such as a migration."""
    if login.secret is None:
        return login.url
    found = SecretCredentials(login.secret).current()
    url = make_url(login.url).set(username=found.user, password=found.password)
    return url.render_as_string(hide_password=False)
