"""Declares routes: path, method, body, answers and rights, read by the binder and by the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel

from fastier.web.call import Call, Reply
from fastier.web.viewer import Scope

# read: one AUTOCOMMIT connection; write: one transaction, committed after the view; own: the view opens its own.
Mode = Literal["read", "write", "own"]
View = TypeVar("View", bound=Callable[..., Reply])


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API; `path` is in OpenAPI's form, beneath /api/v1."""

    method: str
    path: str
    view: Callable[..., Reply]
    feature: str
    mode: Mode
    scope: Scope | None
    status: int
    returns: Any
    keyed: bool
    conditional: bool
    refusals: tuple[int, ...]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    present: Callable[[Call, Any], Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.feature}.{self.view.__name__}"

    @property
    def is_patch(self) -> bool:
        return self.method == "PATCH"


@dataclass(slots=True)
class Routes:
    """A feature's routes, collected by decorators and registered by the composition root."""

    feature: str
    all: list[Route] = field(default_factory=list)

    def get(self, path: str, *, returns: Any, **options: Any) -> Callable[[View], View]:
        return self._route("GET", path, returns=returns, mode=options.pop("mode", "read"), **options)

    def post(self, path: str, *, returns: Any = NoneType, **options: Any) -> Callable[[View], View]:
        return self._route("POST", path, returns=returns, **options)

    def patch(self, path: str, *, returns: Any, **options: Any) -> Callable[[View], View]:
        return self._route("PATCH", path, returns=returns, conditional=options.pop("conditional", True), **options)

    def delete(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("DELETE", path, returns=NoneType, status=options.pop("status", 204), **options)

    def _route(
        self,
        method: str,
        path: str,
        *,
        returns: Any,
        status: int = 200,
        mode: Mode = "write",
        scope: Scope | Literal["by_method"] | None = "by_method",
        keyed: bool | None = None,
        conditional: bool | None = None,
        refusals: tuple[int, ...] = (),
        present: Callable[[Call, Any], Any] | None = None,
    ) -> Callable[[View], View]:
        """Declare one operation.

        scope: what the credential must allow; None for a route that anyone may call.
        keyed: whether Idempotency-Key counts (by default: signed-in POST and PATCH in one transaction).
        conditional: whether If-Match or If-None-Match is understood.
        refusals: statuses of problems beyond those that every route has.
        present: completes the body after the commit, each time it is sent, such as by signing URLs.
        """
        assert scope is not None or mode == "own", "without a credential the binder opens no connection"
        needed: Scope | None = ("read" if method == "GET" else "write") if scope == "by_method" else scope

        def declare(view: View) -> View:
            hints = get_type_hints(view)
            self.all.append(
                Route(
                    method=method,
                    path=path,
                    view=view,
                    feature=self.feature,
                    mode=mode,
                    scope=needed,
                    status=status,
                    returns=returns,
                    keyed=(
                        method in ("POST", "PATCH") and mode == "write" and needed == "write"
                        if keyed is None
                        else keyed
                    ),
                    conditional=method == "GET" if conditional is None else conditional,
                    refusals=refusals,
                    body=hints.get("body"),
                    query=hints.get("query"),
                    present=present,
                )
            )
            return view

        return declare
