"""What is wrong with a filter, and where."""

from fastier.errors import FieldError, Invalid


class FilterFault(Exception):
    """A filter that cannot be understood; `start` is the place of the fault, counted from 0."""

    def __init__(self, start: int, detail: str) -> None:
        super().__init__(detail)
        self.start = start
        self.detail = detail

    def as_problem(self, parameter: str) -> Invalid:
        """The refusal that points at the column, counted from 1, of the parameter."""
        detail = f"Column {self.start + 1}: {self.detail}."
        return Invalid(detail, code="bad_filter", errors=[FieldError(f"?{parameter}", detail)])
