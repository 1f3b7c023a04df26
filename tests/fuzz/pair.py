"""Two people who share nothing: they choose who asks and for what, and judge what is answered."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from schemathesis import Case, GenerationMode

from tests.api import Person
from tests.fuzz.ledger import Ledger

CONTENT = b"content"
# Whose ids a body's field takes, where that is not the field's own name.
KINDS = {"parent_id": "item_id", "assignee_id": "user_id"}


@dataclass
class Pair:
    """Every choice comes from `chance`, in the same order each time, so that what fails can be sent again.

    `sign_in` gives a person a new session and returns its token.
    """

    people: dict[str, Person]
    chance: Random
    sign_in: Callable[[Person], str]
    ledger: Ledger = field(default_factory=Ledger)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    met: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    asker: str = ""

    def __post_init__(self) -> None:
        for name, person in self.people.items():
            ids = {"workspace_id": person.workspace, "list_id": person.inbox, "item_id": person.item()["id"]}
            self.own[name] = ids
            self.ledger.owner |= dict.fromkeys([*ids.values(), person.user_id], name)
            self.met["user_id"].append(person.user_id)

    @property
    def person(self) -> Person:
        return self.people[self.asker]

    def choose(self, case: Case) -> None:
        """Let one of both ask, mostly whose it is, for something that may be granted."""
        ids = [str(id) for id in case.path_parameters.values()]
        owner = next((self.ledger.owner[id] for id in reversed(ids) if id in self.ledger.owner), None)
        self.asker = owner if owner and self.chance.random() < 0.8 else self.chance.choice(list(self.people))
        if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
            self._make_likely(case, is_linked=owner is not None)
        for name, id in case.path_parameters.items():
            self.met[name].append(str(id))

    def _make_likely(self, case: Case, *, is_linked: bool) -> None:
        for part, name in ((case.query, "cursor"), (case.headers, "If-Match")):
            if self.chance.random() < 0.8:
                part.pop(name, None)
        for name in sorted(self.own[self.asker].keys() & case.path_parameters.keys()) if not is_linked else ():
            case.path_parameters[name] = self._one_of_the_askers(name)
        if isinstance(case.body, dict):
            case.body = self._body(case, case.body)

    def _one_of_the_askers(self, name: str) -> str:
        """What was there from the beginning, or what came since, be it deleted or not."""
        met = [id for id in dict.fromkeys(self.met[name]) if self.ledger.owner.get(id) == self.asker]
        return self.chance.choice([self.own[self.asker][name], *met])

    def _body(self, case: Case, drawn: dict[str, Any]) -> dict[str, Any]:
        """What was drawn, or the document's example, with ids that are there."""
        if self.chance.random() < 0.5:
            example = case.operation.definition.raw["requestBody"]["content"]["application/json"]["example"]
            drawn = {name: value for name, value in drawn.items() if name.endswith("id")} | example
        body = {name: self._value(case, name, drawn[name]) for name in sorted(drawn)}
        if "file_name" in body and self.chance.random() < 0.5:
            body |= {"size": len(CONTENT), "checksum": None}
        return body

    def _value(self, case: Case, name: str, drawn: Any) -> Any:
        if name == "email":
            # How many mails one address gets is limited, whoever sends them.
            return f"{self.person.user_id}@example.com"
        if name == "id":
            return self._new_id(_made(case))
        kind = next(iter(case.path_parameters)) if name in ("before", "after") else KINDS.get(name, name)
        return self.chance.choice(self.met[kind]) if self.met[kind] and drawn is not None else drawn

    def _new_id(self, kind: str) -> str:
        """One that nobody has, or now and then one of a thing that is there, perhaps the other's."""
        if self.met[kind] and self.chance.random() < 0.3:
            return self.chance.choice(self.met[kind])
        return str(UUID(int=UUID(self.person.user_id).int >> 32 << 32 | self.chance.getrandbits(32)))

    def headers(self) -> dict[str, str]:
        """Who asks; from a new address, for the checks send wrong tokens, and those of one address are limited."""
        address = ".".join(["10", *(str(self.chance.randrange(256)) for _ in range(3))])
        return {"Authorization": f"Bearer {self.person.token}", "X-Forwarded-For": address}

    def judge(self, case: Case, status: int, body: Any) -> None:
        """Hold the answer against what is known; then send the file that was announced, or sign in again."""
        ids = [str(id) for id in case.path_parameters.values()]
        self.ledger.take(self.asker, case.method, case.path, ids, status, body)
        if status == 201 and "id" in body:
            self.met[_made(case)].append(body["id"])
        if status == 201 and body.get("upload"):
            self._send(body["attachment"], body["upload"])
        if status == 204 and "session_id" in case.path_parameters:
            assert self.person.get("/me").status_code == 401, "the session goes on, though it was ended"
            self.person.token = self.sign_in(self.person)

    def _send(self, attachment: dict[str, Any], upload: dict[str, Any]) -> None:
        if attachment["size"] == len(CONTENT) and attachment["checksum"] is None:
            assert self.person.send(upload, CONTENT).status_code == 200


def _made(case: Case) -> str:
    """The parameter that names what is made here."""
    return case.path.rpartition("/")[2].removesuffix("s") + "_id"
