"""What arrives when a message is sent: through a real endpoint of SES's protocol, and in files."""

import dataclasses
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from moto.sesv2.models import sesv2_backends

from fastier.mail import FileMailer, Mailer, Message, SesMailer, mailer_for
from fastier.settings import Settings

SENDER = "Fastier <no-reply@example.com>"
WELCOME = Message(
    "bob@example.com", "Grüße, Bob", "Hallo Böb,\n\nhttp://localhost/verify#token=" + "x" * 60 + "\n", "1"
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def ses(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SesMailer]:
    """The mailer as an instance builds it, with boto3's own variables naming the endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    boto3.client("sesv2").create_email_identity(EmailIdentity="no-reply@example.com")
    yield SesMailer(SENDER)
    sesv2_backends.reset()


@pytest.fixture
def files(tmp_path: Path) -> FileMailer:
    return FileMailer(tmp_path / "mail", SENDER)


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def sent_through_ses() -> list[Any]:
    regions = [region for account in sesv2_backends.values() for region in account.values()]
    return [message for region in regions for message in region.core_backend.sent_messages]


def written(mailer: FileMailer) -> list[bytes]:
    return [path.read_bytes() for path in sorted(mailer.path.iterdir())]


def assert_is_welcome(message: EmailMessage) -> None:
    assert message["From"] == SENDER
    assert message["To"] == WELCOME.to
    assert message["Subject"] == WELCOME.subject
    assert message.get_content().replace("\r\n", "\n") == WELCOME.text


def test_ses_gets_the_message_for_its_one_recipient(ses: SesMailer) -> None:
    ses.send(WELCOME)
    (sent,) = sent_through_ses()
    assert sent.source == SENDER
    # The endpoint counts whom the request names and whom the header names.
    assert set(sent.destinations) == {"bob@example.com"}
    raw = sent.raw_data.encode()
    assert_is_welcome(parsed(raw))


def test_ses_refusing_is_an_error(ses: SesMailer) -> None:
    with pytest.raises(ClientError, match="MessageRejected"):
        SesMailer("Somebody <else@example.org>").send(WELCOME)
    assert sent_through_ses() == []


def test_ses_that_does_not_answer_is_an_error_soon(ses: SesMailer) -> None:
    config = ses.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
    assert config.retries["total_max_attempts"] == 2


def test_a_file_holds_the_message(files: FileMailer) -> None:
    files.send(WELCOME)
    (raw,) = written(files)
    assert_is_welcome(parsed(raw))


# Lines beyond 78 characters are encoded in any case; short ones only because the mailer asks for it.
@pytest.mark.parametrize("content", ["Grüße, Böb\n", "Grüße, Böb " * 20 + "\n", "Привет\n"])
def test_a_message_is_ascii_on_the_wire(files: FileMailer, content: str) -> None:
    files.send(dataclasses.replace(WELCOME, text=content))
    (raw,) = written(files)
    assert raw.isascii()
    assert parsed(raw).get_content().replace("\r\n", "\n") == content


def test_sending_again_replaces_the_file(files: FileMailer) -> None:
    for subject in ("first", "second"):
        files.send(dataclasses.replace(WELCOME, subject=subject))
    files.send(dataclasses.replace(WELCOME, key="another"))
    assert [parsed(raw)["Subject"] for raw in written(files)] == ["second", WELCOME.subject]


@pytest.mark.parametrize("key", ["../../outside", "/etc/passwd", "a\0b", "k" * 1000])
def test_a_key_cannot_lead_out_of_the_folder(files: FileMailer, tmp_path: Path, key: str) -> None:
    files.send(dataclasses.replace(WELCOME, key=key))
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.parent for path in found] == [files.path]
    assert found[0].suffix == ".eml"


@pytest.mark.parametrize(
    "smuggled",
    [
        {"to": "bob@example.com\r\nBcc: eve@example.com"},
        {"to": "bob@example.com\nBcc: eve@example.com"},
        {"to": "bob@example.com,eve@example.com"},
        {"to": "bob@example.com; eve@example.com"},
        {"to": "Bob <bob@example.com>"},
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"subject": "Hello\n\nanother body"},
    ],
)
def test_no_header_and_no_recipient_can_be_smuggled_in(
    ses: SesMailer, files: FileMailer, smuggled: dict[str, str]
) -> None:
    message = dataclasses.replace(WELCOME, **smuggled)
    mailers: list[Mailer] = [ses, files]
    for mailer in mailers:
        with pytest.raises(Exception, match=r"CR or LF|linefeed|addr_spec|Expected"):
            mailer.send(message)
    assert sent_through_ses() == []
    assert written(files) == []


def test_the_settings_name_the_mailer(settings: Settings) -> None:
    on_files = mailer_for(settings)
    assert isinstance(on_files, FileMailer)
    assert (on_files.path, on_files.sender) == (settings.mail_path, settings.mail_sender)
    on_ses = dataclasses.replace(settings, mail="ses")
    assert isinstance(mailer_for(on_ses), SesMailer)
    # One for the whole process, with one client.
    assert mailer_for(on_ses) is mailer_for(on_ses)


def test_the_text_of_a_message_is_not_shown_by_accident() -> None:
    assert "token=" not in repr(WELCOME)
