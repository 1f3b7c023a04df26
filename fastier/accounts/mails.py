"""The mails about accounts; each makes its link when it is sent, so that no secret waits in the queue."""

import secrets
from typing import Any

from sqlalchemy import RowMapping

from fastier.accounts import queries
from fastier.accounts.deletion import SEND_GOODBYE
from fastier.accounts.service import LINK_HOURS, SEND_RESET, SEND_VERIFICATION
from fastier.jobs import Handler
from fastier.mail import Message, mailer_for
from fastier.services import Services
from fastier.web.credentials import digest_of

_VERIFY = """Hello {name},

welcome to Fastier. Open this link to confirm that this address is yours:

{link}

It is good for {hours} hours. If you have not registered, ignore this mail.
"""
_RESET = """Hello {name},

somebody, probably you, asked for a new password. Open this link to set one:

{link}

It is good once, for {hours} hour. If it was not you, ignore this mail; nothing has changed.
"""
_GOODBYE = """Hello {name},

your account at Fastier has been deleted, as was asked for with its password. You can register with this address again
at any time.
"""


def send_verification(services: Services, payload: dict[str, Any]) -> None:
    """Mail the link that verifies an address; a user who has gone meanwhile gets none."""
    with services.database.reading() as connection:
        user = queries.by_id(connection, payload["user_id"])
    if user and not user["is_verified"]:
        _send(services, user, "verify", "Confirm your address", _VERIFY)


def send_reset(services: Services, payload: dict[str, Any]) -> None:
    """Mail the link that sets a new password; nothing happens for an address that nobody has."""
    with services.database.reading() as connection:
        user = queries.by_email(connection, payload["email"])
    if user:
        _send(services, user, "reset", "Set a new password", _RESET)


def send_goodbye(services: Services, payload: dict[str, Any]) -> None:
    """Tell whoever had an account that it is gone; the job is the last thing that knows the address."""
    text = _GOODBYE.format(name=payload["name"])
    message = Message(payload["email"], "Your account has been deleted", text, key=secrets.token_hex(8))
    mailer_for(services.settings).send(message)


def _send(services: Services, user: RowMapping, purpose: str, subject: str, template: str) -> None:
    secret = secrets.token_urlsafe(32)
    hours = LINK_HOURS[purpose]
    with services.database.transaction() as connection:
        queries.insert_link(connection, user["id"], purpose, digest_of(secret), hours)
    # The secret follows the # so that no server on the way, nor its log, sees it; without an equals sign, which mail
    # writes as =3D, it can be copied from the file that development writes as well.
    link = f"{services.settings.public_url}/{purpose}#{secret}"
    text = template.format(name=user["name"], link=link, hours=hours)
    mailer_for(services.settings).send(Message(user["email"], subject, text, key=secrets.token_hex(8)))


HANDLERS: dict[str, Handler] = {
    SEND_VERIFICATION: send_verification,
    SEND_RESET: send_reset,
    SEND_GOODBYE: send_goodbye,
}
