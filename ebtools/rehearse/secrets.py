"""Plays Secrets Manager, where an application reads the password of its database."""

import json
from contextlib import closing
from typing import Any

from ebtools.rehearse.endpoint import ONE_TRY, Endpoint, Keys


class Secrets(Endpoint):
    """Secrets with versions; signatures are not checked here."""

    def __init__(self, keys: Keys | None = None) -> None:
        super().__init__("secretsmanager", keys or Keys())

    @property
    def environ(self) -> dict[str, str]:
        """The variables of an instance that reads its secrets here; which secret is the application's own setting."""
        return {**self.keys.environ, "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url}

    def make(self, name: str, user: str, password: str) -> str:
        """The ARN of a new secret, in the form that RDS gives it."""
        with closing(self._client()) as client:
            return str(client.create_secret(Name=name, SecretString=_login(user, password))["ARN"])

    def rotate(self, arn: str, user: str, password: str, stage: str = "AWSCURRENT") -> None:
        """Give it another value under that label; a rotation changes the server first, and this label last."""
        with closing(self._client()) as client:
            client.put_secret_value(SecretId=arn, SecretString=_login(user, password), VersionStages=[stage])

    def _client(self) -> Any:
        return self.keys.session().client("secretsmanager", endpoint_url=self.url, config=ONE_TRY)


def _login(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password})
