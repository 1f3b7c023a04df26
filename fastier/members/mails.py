"""The mail that invites somebody; its token is made when it is sent, so that no secret waits in the queue."""

import secrets
from typing import Any

from fastier.jobs import Handler
from fastier.mail import Message, mailer_for
from fastier.members import queries
from fastier.members.service import SEND_INVITATION
from fastier.services import Services
from fastier.web.credentials import digest_of

_INVITATION = """Hello,

{inviter} invites you to the workspace "{workspace}" in Fastier, as {role}. Open this link to accept:

{link}

You need an account with this address; you can make one there. The link is good for {days} days.
If you do not know what this is about, ignore this mail; nothing happens.
"""


def send_invitation(services: Services, payload: dict[str, Any]) -> None:
    """Mail an invitation; one that was withdrawn meanwhile is not sent."""
    secret = secrets.token_urlsafe(32)
    with services.database.transaction() as connection:
        invitation = queries.set_digest(connection, payload["id"], digest_of(secret))
    if invitation is None:
        return
    text = _INVITATION.format(
        inviter=invitation["inviter"] or "Somebody",
        workspace=invitation["workspace"],
        role=invitation["role"],
        link=f"{services.settings.public_url}/invitation#{secret}",
        days=queries.INVITED_DAYS,
    )
    message = Message(invitation["email"], "You are invited to a workspace", text, key=secrets.token_hex(8))
    mailer_for(services.settings).send(message)


HANDLERS: dict[str, Handler] = {SEND_INVITATION: send_invitation}
