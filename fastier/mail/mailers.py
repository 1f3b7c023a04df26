"""Sends one message at a time; both ends build it the same way, so that a header cannot be smuggled in."""

import functools
import os
import re
import threading
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config

from fastier.settings import Settings

# SES promises nothing about bodies with 8 bits; names and texts with accents are encoded.
_SEVEN_BITS = SMTP.clone(cte_type="7bit")
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Message:
    """A plain text to one address; `key` names it, so that sending it again replaces it where that is possible."""

    to: str
    subject: str
    text: str = field(repr=False)
    key: str


class Mailer(Protocol):
    """What the jobs send mail through; an error means that it may not have been sent, and the job tries again."""

    def send(self, message: Message) -> None: ...


class FileMailer:
    """Writes each message into a file of a folder, for development."""

    def __init__(self, path: Path, sender: str) -> None:
        self.path = path
        self.sender = sender

    def send(self, message: Message) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", message.key)[:100]
        unfinished = self.path / f".{name}.{os.getpid()}.{threading.get_ident()}"
        unfinished.write_bytes(_built(message, self.sender).as_bytes())
        unfinished.replace(self.path / f"{name}.eml")


class SesMailer:
    """Sends through Amazon SES; the client is made at the first message, in the process that sends it."""

    def __init__(self, sender: str, client: Any = None) -> None:
        self.sender = sender
        self._client = client
        self._lock = threading.Lock()

    @property
    def client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = boto3.client("sesv2", config=_CONFIG)
        return self._client

    def send(self, message: Message) -> None:
        raw = _built(message, self.sender).as_bytes()
        self.client.send_email(
            FromEmailAddress=self.sender,
            Destination={"ToAddresses": [message.to]},
            Content={"Raw": {"Data": raw}},
        )


def _built(message: Message, sender: str) -> EmailMessage:
    """The message as it goes out; a line break in a header, or anything but one address to send to, is a ValueError."""
    built = EmailMessage(policy=_SEVEN_BITS)
    built["From"] = sender
    built["To"] = Address(addr_spec=message.to)
    built["Subject"] = message.subject
    built["Auto-Submitted"] = "auto-generated"
    built.set_content(message.text)
    return built


@functools.lru_cache(maxsize=4)
def _mailer(kind: str, path: Path, sender: str) -> Mailer:
    return SesMailer(sender) if kind == "ses" else FileMailer(path, sender)


def mailer_for(settings: Settings) -> Mailer:
    """The end that the settings name; one for the whole process."""
    return _mailer(settings.mail, settings.mail_path, settings.mail_sender)
