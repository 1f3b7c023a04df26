"""Finds what a client can do with the id that an operation has just answered with, for the OpenAPI document's links."""

import inspect
import re
from typing import Any

from pydantic import BaseModel

from fastier.web.routing import Route


def links_of(route: Route, routes: list[Route]) -> dict[str, Any]:
    """What can be done with the thing just made, or with the first one listed of those that nobody makes here."""
    name, pointer = _identity(route)
    known = {found: f"$request.path.{found}" for found in path_names(route)} | {name: pointer}
    made = any(other.status == 201 and _identity(other)[0] == name for other in routes)
    if not name or (route.status != 201 and made):
        return {}
    return {
        other.view.__name__: {
            "operationId": other.view.__name__,
            "parameters": {found: known[found] for found in path_names(other)},
        }
        for other in routes
        if name in path_names(other) and set(path_names(other)) <= set(known)
    }


def _identity(route: Route) -> tuple[str, str]:
    """The parameter that names what the route makes or lists, and where in its answer that id is; else nothing."""
    model, place = route.returns, "$response.body#/"
    if not is_model(model) or (route.status != 201 and not is_page(route)):
        return "", ""
    if is_page(route):
        model, place = model.model_fields["data"].annotation.__args__[0], f"{place}data/0/"
    # Of TokenWithSecret, too, what is made is a token.
    thing = re.findall("[A-Z][a-z]+", model.__name__)[0].lower()
    for name, field in ((thing, "id"), ("user", "user_id")):
        if field in model.model_fields:
            return f"{name}_id", place + field
    return (f"{thing}_id", f"{place}{thing}/id") if thing in model.model_fields else ("", "")


def is_page(route: Route) -> bool:
    return is_model(route.returns) and route.returns.__name__.startswith("PageOf")


def path_names(route: Route) -> list[str]:
    return re.findall(r"{(\w+)}", route.path)


def is_model(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseModel)
