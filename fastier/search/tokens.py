"""Splits the text of a filter into operators and words, each with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastier.search.faults import FilterFault

OPERATORS = "&|()"
# These begin a word that stands for itself: a tag, a list, a section.
SIGILS = "@#/"


@dataclass(frozen=True, slots=True)
class Operator:
    """One of & | ! ( )."""

    sign: str
    start: int


@dataclass(frozen=True, slots=True)
class Word:
    """Text without blanks, but those that were quoted or escaped; `plain` marks its characters that were neither."""

    text: str
    plain: tuple[bool, ...]
    start: int
    end: int

    @property
    def sigil(self) -> str:
        """@, # or / when the word begins with it and goes on."""
        return self.text[0] if self.plain[:1] == (True,) and self.text[0] in SIGILS and len(self.text) > 1 else ""

    @property
    def is_plain(self) -> bool:
        return all(self.plain)


Token = Operator | Word


def tokens(source: str) -> list[Token]:
    """The tokens of a filter; FilterFault for a quote that does not end."""
    return list(_tokens(source))


def _tokens(source: str) -> Iterator[Token]:
    at = 0
    while at < len(source):
        if source[at].isspace():
            at += 1
        elif source[at] in OPERATORS or source[at] == "!":
            yield Operator(source[at], at)
            at += 1
        else:
            word = _word(source, at)
            yield word
            at = word.end


def _word(source: str, start: int) -> Word:
    """The word from `start`; a quote may begin anywhere in it, and an exclamation mark is then part of it."""
    text: list[str] = []
    plain: list[bool] = []
    at = start
    while at < len(source) and not source[at].isspace() and source[at] not in OPERATORS:
        if source[at] == "\\" and at + 1 < len(source):
            text.append(source[at + 1])
            plain.append(False)
            at += 2
        elif source[at] == '"':
            quoted, at = _quoted(source, at)
            text.extend(quoted)
            plain.extend(False for _ in quoted)
        else:
            text.append(source[at])
            plain.append(True)
            at += 1
    return Word("".join(text), tuple(plain), start, at)


def _quoted(source: str, start: int) -> tuple[list[str], int]:
    text: list[str] = []
    at = start + 1
    while at < len(source) and source[at] != '"':
        at += source[at] == "\\" and at + 1 < len(source)
        text.append(source[at])
        at += 1
    if at >= len(source):
        raise FilterFault(start, 'This quote does not end; close it with ", or write \\" for the character itself')
    return text, at + 1
