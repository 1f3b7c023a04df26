"""Reminders: when they go out, to whom, and that each is mailed once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import text

from fastier.database import Database
from fastier.items import reminding
from fastier.jobs import Runner
from fastier.services import Services
from tests.api import Person, pointers
from tests.jobs.running import running, until
from tests.joining import join, shared_workspace, verify

DUE = {"date": "2032-03-01", "time": "09:30", "timezone": "Europe/Berlin"}


def _fires(who: Person, item: str) -> list[str | None]:
    answer = who.get(f"/items/{item}/reminders")
    assert answer.status_code == 200, answer.text
    return [reminder["fires_at"] for reminder in answer.json["data"]]


@pytest.fixture
def clear(database: Database) -> Iterator[None]:
    """No reminder of another test is due."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE reminders SET fires_at = NULL"))
        connection.execute(text("DELETE FROM jobs WHERE kind LIKE 'items.%'"))
    return


@pytest.fixture
def come_due(database: Database) -> Callable[[], None]:
    """Make every reminder that is still to be sent due now."""

    def make() -> None:
        with database.transaction() as connection:
            connection.execute(
                text("UPDATE reminders SET fires_at = now() - interval '1 minute' WHERE fires_at IS NOT NULL")
            )

    return make


def _jobs(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT payload FROM jobs WHERE kind = 'items.send_reminder' ORDER BY id"))
        return list(rows.scalars())


def _mails(services: Services, who: Person) -> list[Any]:
    paths = services.settings.mail_path.glob("reminder-*.eml")
    mails = [message_from_bytes(path.read_bytes(), policy=policy.SMTP) for path in paths]
    return [mail for mail in mails if mail["To"] == who.email]


def _send(services: Services, database: Database) -> None:
    reminding.remind(services, {})
    for payload in _jobs(database):
        reminding.send_reminder(services, payload)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM jobs WHERE kind = 'items.send_reminder'"))


def test_reminders_go_by_the_date_or_have_a_moment_of_their_own(alice: Person) -> None:
    item = alice.item("x", due=DUE, reminders=[{"minutes_before": 30}, {"at": "2032-02-01T10:00:00+02:00"}])["id"]
    shown = alice.get(f"/items/{item}/reminders").json["data"]
    assert [(each["minutes_before"], each["at"], each["fires_at"]) for each in shown] == [
        (30, None, "2032-03-01T08:00:00Z"),
        (None, "2032-02-01T08:00:00Z", "2032-02-01T08:00:00Z"),
    ]
    alice.patch(f"/items/{item}", {"due": {"date": "2032-07-01"}})
    assert _fires(alice, item) == ["2032-07-01T07:00:00Z", "2032-02-01T08:00:00Z"]
    alice.patch(f"/items/{item}", {"due": None})
    assert _fires(alice, item) == [None, "2032-02-01T08:00:00Z"]
    alice.patch(f"/items/{item}", {"reminders": [{"minutes_before": 0}]})
    assert _fires(alice, item) == [None]
    alice.patch(f"/items/{item}", {"due": DUE})
    assert _fires(alice, item) == ["2032-03-01T08:30:00Z"]
    alice.patch(f"/items/{item}", {"reminders": []})
    assert _fires(alice, item) == []


def test_a_day_without_a_time_begins_at_nine_where_its_reader_is(alice: Person) -> None:
    alice.patch("/me", {"timezone": "Asia/Tokyo"})
    item = alice.item("x", due={"date": "2032-03-01"}, reminders=[{"minutes_before": 60}])["id"]
    assert _fires(alice, item) == ["2032-02-29T23:00:00Z"]


def test_mornings_follow_whoever_moves_to_another_zone(alice: Person) -> None:
    day = alice.item(
        "x", due={"date": "2032-03-01"}, reminders=[{"minutes_before": 60}, {"at": "2032-01-01T00:00:00Z"}]
    )
    at = alice.item("x", due=DUE, reminders=[{"minutes_before": 30}])
    past = alice.item("x", due={"date": "2020-03-01"}, reminders=[{"minutes_before": 0}])
    alice.patch("/me", {"timezone": "America/New_York"})
    assert _fires(alice, day["id"]) == ["2032-03-01T13:00:00Z", "2032-01-01T00:00:00Z"]
    assert _fires(alice, at["id"]) == ["2032-03-01T08:00:00Z"]
    assert _fires(alice, past["id"]) == [None]


def test_what_is_past_done_or_deleted_is_not_reminded_of(alice: Person) -> None:
    past = alice.item(
        "x", due={"date": "2020-01-01"}, reminders=[{"minutes_before": 5}, {"at": "2020-01-01T00:00:00Z"}]
    )
    assert _fires(alice, past["id"]) == [None, None]
    item = alice.item("x", due=DUE, reminders=[{"minutes_before": 30}])["id"]
    child = alice.item("y", due=DUE, parent_id=item, reminders=[{"minutes_before": 30}])["id"]
    for act, undo in (("complete", "reopen"), (None, "restore")):
        answer = alice.post(f"/items/{item}/{act}") if act else alice.delete(f"/items/{item}")
        assert answer.status_code in (200, 204)
        if act:
            assert [_fires(alice, each) for each in (item, child)] == [[None], [None]]
        assert alice.post(f"/items/{item}/{undo}").status_code == 200
        assert [_fires(alice, each) for each in (item, child)] == [["2032-03-01T08:00:00Z"]] * 2


def test_an_item_without_subtasks_is_not_reminded_of_once_it_is_done(alice: Person) -> None:
    item = alice.item("x", due=DUE, reminders=[{"minutes_before": 30}])["id"]
    other = alice.item("y", due=DUE, reminders=[{"minutes_before": 30}])["id"]
    alice.post(f"/items/{item}/complete")
    assert [_fires(alice, each) for each in (item, other)] == [[None], ["2032-03-01T08:00:00Z"]]


def test_a_recurring_item_is_reminded_of_anew(alice: Person) -> None:
    recurrence = {"rrule": "FREQ=WEEKLY"}
    item = alice.item("x", due=DUE, recurrence=recurrence, reminders=[{"minutes_before": 30}])["id"]
    alice.post(f"/items/{item}/complete")
    assert _fires(alice, item) == ["2032-03-08T08:00:00Z"]


@pytest.mark.parametrize(
    ("reminders", "pointer"),
    [
        ([{}], "/reminders/0"),
        ([{"minutes_before": 1, "at": "2032-01-01T00:00:00Z"}], "/reminders/0"),
        ([{"minutes_before": -1}], "/reminders/0/minutes_before"),
        ([{"minutes_before": 10**9}], "/reminders/0/minutes_before"),
        ([{"at": "2032-01-01T00:00:00"}], "/reminders/0/at"),
        ([{"at": "9999-12-31T23:59:59-12:00"}], "/reminders/0/at"),
        ([{"at": 1}], "/reminders/0/at"),
        ([{"minutes_before": 1}] * 11, "/reminders"),
    ],
)
def test_bad_reminders_are_pointed_at(alice: Person, reminders: list[Any], pointer: str) -> None:
    answer = alice.post(f"/lists/{alice.inbox}/items", {"title": "x", "due": DUE, "reminders": reminders})
    assert pointers(answer) == [pointer]


def test_reminders_are_everybodys_own(alice: Person, bob: Person, services: Services) -> None:
    workspace = shared_workspace(alice)
    join(services, alice, workspace, bob)
    chores = alice.post(f"/workspaces/{workspace}/lists", {"name": "chores"}).json["id"]
    item = alice.item("x", chores, due={"date": "2032-03-01"}, reminders=[{"minutes_before": 0}])["id"]
    assert _fires(bob, item) == []
    bob.patch("/me", {"timezone": "America/New_York"})
    bob.patch(f"/items/{item}", {"reminders": [{"minutes_before": 0}, {"minutes_before": 60}]})
    assert _fires(alice, item) == ["2032-03-01T09:00:00Z"]
    alice.patch(f"/items/{item}", {"due": {"date": "2032-03-02"}})
    assert _fires(bob, item) == ["2032-03-02T14:00:00Z", "2032-03-02T13:00:00Z"]
    assert _fires(alice, item) == ["2032-03-02T09:00:00Z"]


def test_a_reminder_is_mailed_once(
    alice: Person, services: Services, database: Database, clear: None, come_due: Callable[[], None]
) -> None:
    verify(services, alice)
    item = alice.item("Büro aufräumen", due=DUE, reminders=[{"minutes_before": 30}])["id"]
    _send(services, database)
    assert _mails(services, alice) == []
    come_due()
    for _ in range(3):
        _send(services, database)
    (mail,) = _mails(services, alice)
    assert mail["Subject"] == "Reminder: Büro aufräumen"
    content = mail.get_content()
    assert "due 2032-03-01, 09:30, Europe/Berlin" in content
    assert '"Inbox"' in content
    assert _fires(alice, item) == [None]


def test_runners_that_claim_at_once_enqueue_each_reminder_once(
    alice: Person, services: Services, database: Database, clear: None, come_due: Callable[[], None]
) -> None:
    verify(services, alice)
    count = 3 * reminding.BATCH + 7
    for _ in range(count // 10 + 1):
        alice.item("x", due=DUE, reminders=[{"minutes_before": number} for number in range(10)])
    come_due()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: reminding.remind(services, {}), range(4)))
    claimed = [payload["id"] for payload in _jobs(database)]
    assert len(claimed) == len(set(claimed)) == (count // 10 + 1) * 10


def test_whoever_may_not_know_is_not_told(
    alice: Person,
    bob: Person,
    services: Services,
    database: Database,
    clear: None,
    come_due: Callable[[], None],
) -> None:
    verify(services, alice)
    workspace = shared_workspace(alice)
    join(services, alice, workspace, bob)
    chores = alice.post(f"/workspaces/{workspace}/lists", {"name": "chores"}).json["id"]
    hidden = alice.new_list()
    shared = alice.item("shared", chores, due=DUE, reminders=[{"minutes_before": 1}])["id"]
    bob.patch(f"/items/{shared}", {"reminders": [{"minutes_before": 1}]})
    bob.item("unverified no more", due=DUE, reminders=[{"minutes_before": 1}])
    alice.item("hidden", hidden, due=DUE, reminders=[{"minutes_before": 1}])
    alice.delete(f"/lists/{hidden}")
    with database.transaction() as connection:
        # As a membership that ends past the API would leave it.
        connection.execute(text("UPDATE users SET verified_at = NULL WHERE id = :id"), {"id": bob.user_id})
    come_due()
    _send(services, database)
    assert [mail["Subject"] for mail in _mails(services, alice)] == ["Reminder: shared"]
    assert _mails(services, bob) == []
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM reminders WHERE fires_at <= now()")).scalar_one() == 0


def test_what_changes_before_the_mail_goes_out_stops_it(
    alice: Person, services: Services, database: Database, clear: None, come_due: Callable[[], None]
) -> None:
    verify(services, alice)
    items = [alice.item(str(number), due=DUE, reminders=[{"minutes_before": 1}])["id"] for number in range(4)]
    come_due()
    reminding.remind(services, {})
    alice.post(f"/items/{items[0]}/complete")
    alice.delete(f"/items/{items[1]}")
    alice.patch(f"/items/{items[2]}", {"due": {"date": "2032-05-01"}})
    _send(services, database)
    assert [mail["Subject"] for mail in _mails(services, alice)] == ["Reminder: 3"]


def test_the_job_runner_reminds(alice: Person, services: Services, database: Database, clear: None) -> None:
    verify(services, alice)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    alice.item("x", reminders=[{"at": soon.isoformat()}])

    def ask() -> list[Any]:
        with database.transaction() as connection:
            connection.execute(
                text(
                    "INSERT INTO jobs (kind, payload, key) VALUES ('items.remind', '{}', 'now') ON CONFLICT DO NOTHING"
                )
            )
        return _mails(services, alice)

    with running(Runner(services, reminding.HANDLERS)):
        until(ask)
    assert len(_mails(services, alice)) == 1
