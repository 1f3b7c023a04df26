"""The rules of an item's dates: when it is due, and how it repeats."""

from datetime import datetime, time
from typing import Any

from fastier.dates import recurrence
from fastier.dates.recurrence import Next, Recurring
from fastier.dates.rules import BadRule
from fastier.dates.schemas import Due, DuePatch, NewRecurrence, RecurrencePatch
from fastier.errors import FieldError, Invalid
from fastier.items.schemas import ItemPatch, NewItem
from fastier.web.viewer import Viewer


def of_new(viewer: Viewer, new: NewItem) -> dict[str, Any]:
    """The columns of a new item's dates; Invalid for a recurrence that cannot be."""
    fields = _due_fields(viewer, new.due) | _recurrence_fields(new.recurrence)
    _check(fields)
    return fields


def of_patch(viewer: Viewer, there: dict[str, Any], patch: ItemPatch) -> dict[str, Any]:
    """The columns that the patch changes, none when it speaks of no dates; Invalid for a recurrence that cannot be."""
    sent = patch.sent()
    changed: dict[str, Any] = {}
    if "due" in sent:
        changed |= _due_fields(viewer, _merged_due(there["due"], patch.due) if patch.due else None)
    if "recurrence" in sent:
        merged = _merged_recurrence(there["recurrence"], patch.recurrence) if patch.recurrence else None
        changed |= _recurrence_fields(merged)
    elif "due" in sent and patch.due is None:
        # What is due on no day repeats on none.
        changed |= _recurrence_fields(None)
    if changed:
        _check(columns_of(there) | changed)
    return changed


def columns_of(item: dict[str, Any]) -> dict[str, Any]:
    """An item's dates as its row has them."""
    due, repeats = item["due"] or {}, item["recurrence"] or {}
    at = due.get("time")
    return {
        "due_date": due.get("date"),
        "due_time": time.fromisoformat(at) if at else None,
        "due_timezone": due.get("timezone"),
        "rrule": repeats.get("rrule"),
        "recurrence_mode": repeats.get("mode"),
        "recurrence_text": repeats.get("text"),
    }


def after_done(viewer: Viewer, item: dict[str, Any], now: datetime) -> Next | None:
    """When an item that is done now is due again; None for one that does not repeat, or has done so for the last time.

    A date without a time is one in the zone of whoever does it.
    """
    there = columns_of(item)
    if there["rrule"] is None or there["due_date"] is None:
        return None
    zone = there["due_timezone"] or viewer.timezone
    recurring = Recurring(there["rrule"], there["recurrence_mode"], there["due_date"], there["due_time"], zone)
    return recurrence.after_done(recurring, now)


def _check(fields: dict[str, Any]) -> None:
    if fields["rrule"] is None:
        return
    if fields["due_date"] is None:
        raise _fault("/recurrence", "A recurrence needs a due date to start from.")
    try:
        recurrence.check(fields["rrule"], fields["due_date"])
    except BadRule as bad:
        raise _fault("/recurrence/rrule", str(bad)) from None


def _merged_due(there: dict[str, Any] | None, patch: DuePatch) -> Due:
    """The due date with the fields that were sent; without a date there is nothing to merge into."""
    merged = {**(there or {}), **patch.sent()}
    if "date" not in merged:
        raise _fault("/due/date", "A due date needs a date.")
    if merged.get("time") is None:
        if patch.sent().get("timezone"):
            raise _fault("/due/timezone", "A time zone needs a time.")
        merged["timezone"] = None
    return Due.model_validate(merged, strict=False)


def _merged_recurrence(there: dict[str, Any] | None, patch: RecurrencePatch) -> NewRecurrence:
    sent = patch.sent()
    # Words that told another rule would be wrong.
    kept = {name: value for name, value in (there or {}).items() if name != "text" or "rrule" not in sent}
    merged = {**kept, **sent}
    if "rrule" not in merged:
        raise _fault("/recurrence/rrule", "A recurrence needs a rule.")
    return NewRecurrence.model_validate(merged)


def _due_fields(viewer: Viewer, due: Due | None) -> dict[str, Any]:
    if due is None:
        return {"due_date": None, "due_time": None, "due_timezone": None}
    zone = (due.timezone or viewer.timezone) if due.time else None
    return {"due_date": due.date, "due_time": due.time, "due_timezone": zone}


def _recurrence_fields(given: NewRecurrence | None) -> dict[str, Any]:
    if given is None:
        return {"rrule": None, "recurrence_mode": None, "recurrence_text": None}
    return {"rrule": given.rrule, "recurrence_mode": given.mode, "recurrence_text": given.text}


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, errors=[FieldError(pointer, detail)])
