"""Mails reminders once each: they are claimed and their mails enqueued in one transaction, a batch at a time."""

from typing import Any

from sqlalchemy import Connection, RowMapping, text

from fastier import jobs
from fastier.jobs import Handler
from fastier.mail import Message, mailer_for
from fastier.services import Services

REMIND = "items.remind"
SEND_REMINDER = "items.send_reminder"
BATCH = 100
# What is left is for the next minute.
MOST_BATCHES = 200
LONGEST_SUBJECT = 150

# A reminder that nobody wants any more is over as well: whoever reads what is claimed sees only the others.
_CLAIM = text(
    """WITH due AS (
        SELECT id, fires_at FROM reminders WHERE fires_at <= now() ORDER BY fires_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    UPDATE reminders r SET fires_at = NULL FROM due WHERE r.id = due.id
    RETURNING CAST(r.id AS text), CAST(r.item_id AS text) AS item, CAST(r.user_id AS text) AS person,
        CAST(due.fires_at AS text) AS moment, r.minutes_before IS NOT NULL AS is_relative"""
)
# Only to people who still belong to the workspace, whose address is their own, and about what is still to be done.
_WANTED = text(
    """SELECT p.number, i.title, concat_ws(', ', i.due_date, to_char(i.due_time, 'HH24:MI'), i.due_timezone) AS due,
        l.name AS list, w.name AS workspace, u.name, u.email
    FROM unnest(CAST(:items AS uuid[]), CAST(:people AS uuid[])) WITH ORDINALITY AS p (item, person, number)
    JOIN items i ON i.id = p.item AND i.deleted_at IS NULL AND i.completed_at IS NULL
    JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL
    JOIN workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = p.person
    JOIN users u ON u.id = m.user_id AND u.verified_at IS NOT NULL"""
)
_TEXT = """Hello {name},

you wanted to be reminded of this:

    {title}
{due}
It is in the list "{list}" of the workspace "{workspace}".
"""


def remind(services: Services, payload: dict[str, Any]) -> None:
    """Enqueue a mail for each reminder that is due; one that two runners see at once is claimed by one of them."""
    for _ in range(MOST_BATCHES):
        with services.database.transaction() as connection:
            claimed = connection.execute(_CLAIM, {"limit": BATCH}).mappings().all()
            wanted = _wanted(connection, [(row["item"], row["person"]) for row in claimed])
            for number, mail in wanted.items():
                _enqueue(connection, claimed[number], mail)
        if len(claimed) < BATCH:
            return


def _wanted(connection: Connection, pairs: list[tuple[str, str]]) -> dict[int, RowMapping]:
    """What there is to say about items to people, by the pair's number; nothing for those who must not know."""
    parameters = {"items": [item for item, _ in pairs], "people": [person for _, person in pairs]}
    return {row["number"] - 1: row for row in connection.execute(_WANTED, parameters).mappings()}


def _enqueue(connection: Connection, claimed: RowMapping, mail: RowMapping) -> None:
    payload = {name: claimed[name] for name in ("id", "item", "person", "moment")}
    # Before it is sent the date may change; then it is no longer time for a reminder that goes by the date.
    payload["due"] = mail["due"] if claimed["is_relative"] else None
    jobs.enqueue(connection, SEND_REMINDER, payload)


def send_reminder(services: Services, payload: dict[str, Any]) -> None:
    """Mail one reminder, unless what it was about has been done, moved or hidden meanwhile."""
    with services.database.reading() as connection:
        mail = _wanted(connection, [(payload["item"], payload["person"])]).get(0)
    if mail is None or payload["due"] not in (None, mail["due"]):
        return
    due = f"    due {mail['due']}\n" if mail["due"] else ""
    words = _TEXT.format(
        name=mail["name"], title=mail["title"], due=due, list=mail["list"], workspace=mail["workspace"]
    )
    subject = f"Reminder: {mail['title']}"[:LONGEST_SUBJECT]
    key = f"reminder-{payload['id']}-{payload['moment']}"
    mailer_for(services.settings).send(Message(mail["email"], subject, words, key=key))


HANDLERS: dict[str, Handler] = {REMIND: remind, SEND_REMINDER: send_reminder}
