"""Secrets Manager behind real HTTP, for whoever reads a secret through boto3."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from ebtools.s3_endpoint.serving import serving

REGION = "eu-central-1"


@dataclass
class Vault:
    """Where it listens; `reads` are the stages of secrets that were asked for."""

    url: str
    reads: list[str] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """boto3's own variables."""
        return {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
            "AWS_SECRET_ACCESS_KEY": "of the tests",
        }

    def make(self, text: str) -> str:
        """The ARN of a new secret."""
        with closing(self._client()) as client:
            return str(client.create_secret(Name=f"database-{time.time_ns()}", SecretString=text)["ARN"])

    def put(self, arn: str, text: str, stage: str = "AWSCURRENT") -> None:
        with closing(self._client()) as client:
            client.put_secret_value(SecretId=arn, SecretString=text, VersionStages=[stage])

    def _client(self) -> Any:
        keys = {"aws_access_key_id": "AKIATESTTESTTESTTEST", "aws_secret_access_key": "of the tests"}
        return boto3.Session().client("secretsmanager", region_name=REGION, endpoint_url=self.url, **keys)


def login(user: str, password: str) -> str:
    """The text of a secret as RDS writes it."""
    return json.dumps({"username": user, "password": password})


@contextmanager
def serving_vault() -> Iterator[Vault]:
    inner = DomainDispatcherApplication(create_backend_app)
    vault = Vault("")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if environ.get("HTTP_X_AMZ_TARGET") == "secretsmanager.GetSecretValue":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = BytesIO(body)
            vault.reads.append(json.loads(body)["VersionStage"])
        return inner(environ, start_response)

    with serving(app) as url:
        vault.url = url
        yield vault
