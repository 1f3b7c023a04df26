"""The rehearsal's Secrets Manager gives the application its password, and another after a rotation."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from ebtools.rehearse.secrets import Secrets
from ebtools.rehearse.server import Site
from fastier.database.credentials import Credentials, SecretCredentials

USER = "fastier_serve"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    endpoint = Secrets()
    endpoint.start(Site("127.0.0.1"), 0, tmp_path / "log")
    for name, value in endpoint.environ.items():
        monkeypatch.setenv(name, value)
    yield endpoint
    endpoint.stop()


def test_the_application_reads_a_secret_and_what_it_is_rotated_to(vault: Secrets) -> None:
    arn = vault.make("serve", USER, "first")
    read = SecretCredentials(arn)
    first = read.current()
    assert first == Credentials(USER, "first")
    vault.rotate(arn, USER, "second")
    assert read.current() == first, "A secret is kept until it is refused."
    assert read.after_refusal(first) == Credentials(USER, "second")


def test_a_half_done_rotation_has_its_password_under_the_pending_label(vault: Secrets) -> None:
    arn = vault.make("serve", USER, "first")
    read = SecretCredentials(arn)
    first = read.current()
    vault.rotate(arn, USER, "second", "AWSPENDING")
    assert SecretCredentials(arn).current() == first
    assert read.after_refusal(first) == Credentials(USER, "second")


def test_a_service_that_is_away_gives_no_secret_until_it_is_mended(vault: Secrets) -> None:
    arn = vault.make("serve", USER, "first")
    for break_it in (vault.refuse, vault.fail):
        break_it()
        with pytest.raises(psycopg2.OperationalError):
            SecretCredentials(arn).current()
    vault.mend()
    assert SecretCredentials(arn).current().password == "first"
