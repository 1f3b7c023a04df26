"""What a rule is, and what it says: a finding, or that it could not look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ebtools.preflight.case import Case

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where (a line of 0 is the whole file), what is wrong with it here, and how to mend it here.

    `mend` replaces the rule's own advice where this place allows a more precise one.
    """

    message: str
    file: str = ""
    line: int = 0
    mend: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """Why a rule could not look, such as a program that is not installed; counts as a failure unless allowed."""

    reason: str


Outcome = Finding | NotRun


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong. `why` says what happens on AWS, `mend` what to do; both are full sentences.

    `error` is for what makes a deployment, an instance or a request fail; `warning` for what only wastes, is ignored
    in silence, or fails under circumstances that the bundle does not show.
    """

    id: str
    title: str
    why: str
    mend: str
    check: Callable[["Case"], Iterator[Outcome]]
    severity: Severity = "error"
