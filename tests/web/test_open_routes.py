"""Routes that anyone may call need no database to refuse a bad request."""

from fastier.database import Statistics
from tests.api import Api, pointers


def test_a_bad_sign_in_costs_no_statement(anybody: Api, statements: Statistics) -> None:
    assert pointers(anybody.post("/auth/login", {"email": "nobody"})) == ["/email", "/password"]
    assert statements.statements == 0


def test_a_stale_token_does_not_keep_anyone_from_signing_in(anybody: Api) -> None:
    stale = {"Authorization": "Bearer fst_" + "a" * 43}
    assert pointers(anybody.post("/auth/login", {}, headers=stale)) == ["/email", "/password"]
