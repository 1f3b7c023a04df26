"""Accounts: registering, signing in, tokens, sessions, mailed links."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import text

from fastier.accounts import mails, passwords
from fastier.database import Database
from fastier.services import Services
from tests.api import Api, Person, pointers, problem

PASSWORD = "correct horse battery"


def _new(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "password": PASSWORD, "name": "Dora", **more}


def _run_mail_jobs(services: Services) -> None:
    """Do what the job runner does, with what is queued."""
    with services.database.transaction() as connection:
        rows = connection.execute(text("DELETE FROM jobs WHERE kind LIKE 'accounts.%' RETURNING kind, payload")).all()
    for kind, payload in rows:
        mails.HANDLERS[kind](services, payload)


def _mailed_secret(services: Services, email: str, purpose: str) -> str:
    _run_mail_jobs(services)
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.SMTP) for path in services.settings.mail_path.glob("*.eml")
    ]
    found = [mail.get_content() for mail in mails if mail["To"] == email]
    links = [match.group(1) for mail in found if (match := re.search(rf"/{purpose}#([\w-]+)", mail))]
    assert links, found
    return links[-1]


def test_registering_signs_in_and_makes_a_workspace_with_an_inbox(anybody: Api, address: Callable[[], str]) -> None:
    email = address()
    made = anybody.post("/auth/register", _new(email.upper(), timezone="Europe/Berlin"))
    assert made.status_code == 201
    body = made.json
    assert (body["user"]["email"], body["user"]["timezone"], body["user"]["is_verified"]) == (
        email,
        "Europe/Berlin",
        False,
    )
    assert body["token"].startswith("fst_")
    assert (body["workspace"]["is_personal"], body["workspace"]["role"]) == (True, "owner")
    assert (body["inbox"]["name"], body["inbox"]["is_inbox"]) == ("Inbox", True)
    me = anybody.get("/me", headers={"Authorization": f"Bearer {body['token']}"}).json
    assert (me["inbox"], me["workspaces"]) == (body["inbox"], [body["workspace"]])


def test_a_taken_address_is_refused_whatever_its_case(anybody: Api, alice: Person) -> None:
    problem(anybody.post("/auth/register", _new(alice.email.title())), 409, "email_taken")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": "a b@example.com"}, "/email"),
        ({"email": "@example.com"}, "/email"),
        ({"email": "a@localhost"}, "/email"),
        ({"email": "a@example.com,b@example.com"}, "/email"),
        ({"email": "A <a@example.com>"}, "/email"),
        ({"email": "a@example..com"}, "/email"),
        ({"password": "short"}, "/password"),
        ({"password": "x" * 257}, "/password"),
        ({"name": " "}, "/name"),
        ({"timezone": "Nowhere"}, "/timezone"),
        ({"session": "both"}, "/session"),
        ({"role": "admin"}, "/role"),
    ],
)
def test_bad_registrations_are_pointed_at(anybody: Api, change: dict[str, str], pointer: str) -> None:
    assert pointers(anybody.post("/auth/register", {**_new("new@example.com"), **change})) == [pointer]


def test_signing_in_gives_a_token_of_its_own_and_signing_out_ends_it(anybody: Api, address: Callable[[], str]) -> None:
    email = address()
    first = anybody.post("/auth/register", _new(email)).json["token"]
    second = anybody.post("/auth/login", {"email": email, "password": PASSWORD}).json["token"]
    assert first != second
    bearer = {"Authorization": f"Bearer {second}"}
    assert anybody.post("/auth/logout", headers=bearer).status_code == 204
    problem(anybody.get("/me", headers=bearer), 401, "bad_token")
    assert anybody.get("/me", headers={"Authorization": f"Bearer {first}"}).status_code == 200


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(anybody: Api, alice: Person) -> None:
    wrong = problem(anybody.post("/auth/login", {"email": alice.email, "password": "wrong"}), 401, "bad_credentials")
    unknown = problem(
        anybody.post("/auth/login", {"email": "x@example.com", "password": "wrong"}), 401, "bad_credentials"
    )
    assert {**wrong, "instance": ""} == {**unknown, "instance": ""}


def test_an_unknown_address_costs_a_hash_like_a_known_one() -> None:
    """The work is the same, which a clock could only guess at: the hash that is verified is as costly."""
    parameters = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$")
    of_nobody = parameters.match(passwords._NOBODY)
    of_somebody = parameters.match(passwords.hash_password(PASSWORD))
    assert of_nobody is not None
    assert of_somebody is not None
    assert of_nobody.group() == of_somebody.group()
    assert passwords.verify_password(None, "the password of nobody") is False


def test_guessing_one_accounts_password_is_throttled(anybody: Api, address: Callable[[], str]) -> None:
    email = address()
    anybody.post("/auth/register", _new(email))
    answers = [anybody.post("/auth/login", {"email": email, "password": "wrong"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    refused = answers[-1]
    assert problem(refused, 429, "throttled")
    assert int(refused.headers["Retry-After"]) >= 1
    problem(anybody.post("/auth/login", {"email": email, "password": PASSWORD}), 429, "throttled")
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    owner = anybody.post("/auth/login", {"email": email, "password": PASSWORD}, headers=elsewhere)
    assert owner.status_code == 200


def test_guessing_from_many_addresses_is_throttled_too(anybody: Api, address: Callable[[], str]) -> None:
    body = {"email": address(), "password": "wrong"}
    answers = [
        anybody.post("/auth/login", body, headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(102)
    ]
    assert answers[:100] == [401] * 100
    assert answers[-1] == 429


def test_signing_in_gives_the_attempts_back(anybody: Api, address: Callable[[], str]) -> None:
    email = address()
    anybody.post("/auth/register", _new(email))
    for _ in range(3):
        for _ in range(6):
            problem(anybody.post("/auth/login", {"email": email, "password": "wrong"}), 401)
        assert anybody.post("/auth/login", {"email": email, "password": PASSWORD}).status_code == 200


def test_an_address_is_verified_by_the_mailed_link_once(
    anybody: Api, services: Services, address: Callable[[], str]
) -> None:
    email = address()
    token = anybody.post("/auth/register", _new(email)).json["token"]
    secret = _mailed_secret(services, email, "verify")
    assert anybody.post("/auth/verify", {"token": secret}).status_code == 204
    assert anybody.get("/me", headers={"Authorization": f"Bearer {token}"}).json["is_verified"] is True
    problem(anybody.post("/auth/verify", {"token": secret}), 400, "bad_link")


def test_a_reset_sets_the_password_and_ends_every_session(
    anybody: Api, services: Services, address: Callable[[], str]
) -> None:
    email = address()
    token = anybody.post("/auth/register", _new(email)).json["token"]
    assert anybody.post("/auth/password/forgot", {"email": email}).status_code == 202
    secret = _mailed_secret(services, email, "reset")
    assert anybody.post("/auth/password/reset", {"token": secret, "password": "another password"}).status_code == 204
    problem(anybody.get("/me", headers={"Authorization": f"Bearer {token}"}), 401)
    problem(anybody.post("/auth/login", {"email": email, "password": PASSWORD}), 401)
    assert anybody.post("/auth/login", {"email": email, "password": "another password"}).status_code == 200
    again = anybody.post("/auth/password/reset", {"token": secret, "password": "a third password"})
    problem(again, 400, "bad_link")


def test_asking_for_a_reset_says_nothing_about_who_has_an_account(anybody: Api, services: Services) -> None:
    before = len(list(services.settings.mail_path.glob("*.eml")))
    answer = anybody.post("/auth/password/forgot", {"email": "nobody-at-all@example.com"})
    assert (answer.status_code, answer.data) == (202, b"")
    _run_mail_jobs(services)
    assert len(list(services.settings.mail_path.glob("*.eml"))) >= before
    assert not [1 for path in services.settings.mail_path.glob("*.eml") if "nobody-at-all" in path.read_text()]


def test_a_link_that_is_too_old_is_refused(
    anybody: Api, services: Services, database: Database, address: Callable[[], str]
) -> None:
    email = address()
    anybody.post("/auth/register", _new(email))
    secret = _mailed_secret(services, email, "verify")
    with database.transaction() as connection:
        connection.execute(text("UPDATE mailed_links SET expires_at = now() - interval '1 second'"))
    problem(anybody.post("/auth/verify", {"token": secret}), 400, "bad_link")


def test_a_personal_token_does_what_its_scope_allows(alice: Person, anybody: Api) -> None:
    made = alice.post("/tokens", {"name": "script"}).json
    assert (made["scope"], made["token"][-4:]) == ("read", made["hint"])
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert anybody.get(f"/lists/{alice.inbox}/items", headers=bearer).status_code == 200
    problem(anybody.post(f"/lists/{alice.inbox}/items", {"title": "x"}, headers=bearer), 403, "scope")
    for path in ("/tokens", "/sessions"):
        problem(anybody.get(path, headers=bearer), 403, "scope")
    listed = alice.get("/tokens").json["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert "token" not in listed[0]
    assert alice.delete(f"/tokens/{made['id']}").status_code == 204
    problem(anybody.get("/me", headers=bearer), 401)


def test_a_token_expires_when_it_says(alice: Person, anybody: Api, database: Database) -> None:
    expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    made = alice.post("/tokens", {"name": "t", "scope": "write", "expires_at": expires}).json
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(expires)
    with database.transaction() as connection:
        connection.execute(text("UPDATE tokens SET expires_at = now() WHERE id = :id"), {"id": made["id"]})
    problem(anybody.get("/me", headers={"Authorization": f"Bearer {made['token']}"}), 401)
    for bad in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2027-01-01"):
        assert pointers(alice.post("/tokens", {"name": "t", "expires_at": bad})) == ["/expires_at"]


def test_the_last_use_is_written_at_most_every_few_minutes(alice: Person, database: Database) -> None:
    def last_used() -> str:
        return str(alice.get("/sessions").json["data"][0]["last_used_at"])

    first = last_used()
    assert last_used() == first
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE tokens SET last_used_at = now() - interval '6 minutes' WHERE user_id = :id"),
            {"id": alice.user_id},
        )
    alice.get("/me")
    assert last_used() > first


def test_an_idle_session_ends(alice: Person, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE tokens SET last_used_at = now() - interval '15 days' WHERE user_id = :id"),
            {"id": alice.user_id},
        )
    problem(alice.get("/me"), 401)


def test_sessions_are_listed_and_ended(alice: Person, anybody: Api, bob: Person) -> None:
    sessions = alice.get("/sessions").json["data"]
    assert [each["is_current"] for each in sessions].count(True) == 1
    problem(bob.delete(f"/sessions/{sessions[0]['id']}"), 404)
    assert alice.delete(f"/sessions/{sessions[0]['id']}").status_code == 204
    problem(alice.get("/me"), 401)


SAME_SITE = {"X-Fastier-Client": "page", "Sec-Fetch-Site": "same-origin"}


def test_a_browser_gets_a_cookie_and_no_token(anybody: Api, address: Callable[[], str]) -> None:
    made = anybody.post("/auth/register", _new(address(), session="cookie"), headers=SAME_SITE)
    assert "token" not in made.json
    cookie = made.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    name, value = cookie.split(";")[0].split("=", 1)
    sent = {"Cookie": f"{name}={value}"}
    assert anybody.get("/me", headers=sent).status_code == 200
    inbox = made.json["inbox"]["id"]
    new = {"title": "x"}
    path = f"/lists/{inbox}/items"
    problem(anybody.post(path, new, headers=sent), 403, "missing_client_header")
    problem(anybody.post(path, new, headers={**sent, "X-Fastier-Client": "page"}), 403, "foreign_origin")
    foreign = {**sent, **SAME_SITE, "Origin": "https://evil.example"}
    problem(anybody.post(path, new, headers=foreign), 403, "foreign_origin")
    cross = {**sent, "X-Fastier-Client": "page", "Sec-Fetch-Site": "cross-site"}
    problem(anybody.post(path, new, headers=cross), 403, "foreign_origin")
    assert anybody.post(path, new, headers={**sent, **SAME_SITE}).status_code == 201
    old_browser = {**sent, "X-Fastier-Client": "page", "Origin": "http://localhost"}
    assert anybody.post(path, new, headers=old_browser).status_code == 201
    out = anybody.post("/auth/logout", headers={**sent, **SAME_SITE})
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    problem(anybody.get("/me", headers=sent), 401)


def test_another_site_cannot_sign_a_browser_in(anybody: Api, alice: Person) -> None:
    body = {"email": alice.email, "password": PASSWORD, "session": "cookie"}
    problem(anybody.post("/auth/login", body), 403, "missing_client_header")


def test_a_profile_is_changed(alice: Person) -> None:
    assert alice.patch("/me", {"name": "Alice B."}).json["name"] == "Alice B."
    assert alice.get("/me").json["timezone"] == "UTC"
    assert pointers(alice.patch("/me", {"email": "new@example.com"})) == ["/email"]


def test_only_digests_of_secrets_are_stored(alice: Person, database: Database) -> None:
    assert alice.token is not None
    with database.reading() as connection:
        for table in ("tokens", "users", "mailed_links", "jobs"):
            rows = connection.execute(text(f"SELECT t::text FROM {table} t")).scalars()
            assert not [row for row in rows if alice.token in row or PASSWORD in row]
