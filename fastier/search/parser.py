"""Understands the filter language; docs/filters.md says it in words."""

from datetime import date

from fastier.search.faults import FilterFault
from fastier.search.syntax import (
    WILDCARD,
    And,
    Done,
    Everything,
    Filter,
    Named,
    Node,
    Not,
    Priority,
    Says,
    any_of,
    leaves,
)
from fastier.search.terms import Reading, term_of
from fastier.search.tokens import Operator, Token, Word, tokens
from fastier.search.words import words_of

LONGEST_FILTER = 1000
MOST_TERMS = 50
DEEPEST = 20
_KINDS = {"@": "tag", "#": "list", "/": "section"}
_PRIORITIES = {f"p{level}": level for level in range(1, 5)}
_EXPECTED = "Expected a term such as today, p1, @tag, #list, search: words, ! or ("


def parse_filter(source: str, today: date) -> Filter:
    """A filter, all of whose parts are terms of the language; FilterFault says where it is not."""
    return _Parser(source, today, is_search=False).parse()


def parse_search(source: str, today: date) -> Filter:
    """What somebody looks for: bare words are searched, and terms may stand among them."""
    return _Parser(source, today, is_search=True).parse()


class _Parser:
    """Goes through the tokens once; each method leaves `at` behind what it has understood."""

    def __init__(self, source: str, today: date, *, is_search: bool) -> None:
        if len(source) > LONGEST_FILTER:
            raise FilterFault(LONGEST_FILTER, f"A filter may have at most {LONGEST_FILTER} characters")
        self.source = source
        self.tokens = tokens(source)
        self.reading = Reading(today)
        self.is_search = is_search
        # Without any sign of the language, the words of a search are only words: somebody looks for "today".
        self.is_structured = any(_is_structure(token) for token in self.tokens)
        self.at = 0
        self.depth = 0
        self.terms = 0

    def parse(self) -> Filter:
        node = self._either()
        if (token := self._next()) is not None:
            raise FilterFault(token.start, "This ) closes nothing; escape it with \\ or take it away")
        is_open = not self.is_search and not any(isinstance(leaf, Done | Everything) for leaf in leaves(node))
        return Filter(node, self.reading.is_relative, is_open)

    def _next(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _takes(self, sign: str) -> bool:
        token = self._next()
        found = isinstance(token, Operator) and token.sign == sign
        self.at += found
        return found

    def _either(self) -> Node:
        parts = [self._all_of()]
        while self._takes("|"):
            parts.append(self._all_of())
        return any_of(parts)

    def _all_of(self) -> Node:
        """Parts with & between them, or nothing: what stands side by side is meant together."""
        parts = [self._one()]
        while self._takes("&") or self._begins_a_part():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _begins_a_part(self) -> bool:
        token = self._next()
        return isinstance(token, Word) or (isinstance(token, Operator) and token.sign in "!(")

    def _one(self) -> Node:
        token = self._next()
        if token is None:
            raise FilterFault(len(self.source), _EXPECTED)
        if isinstance(token, Word):
            return self._term(token)
        if token.sign not in "!(":
            raise FilterFault(token.start, f"{_EXPECTED}, not {token.sign}")
        self.at += 1
        self._descend(token)
        node: Node = Not(self._one()) if token.sign == "!" else self._group(token)
        self.depth -= 1
        return node

    def _group(self, opening: Operator) -> Node:
        node = self._either()
        if not self._takes(")"):
            raise FilterFault(opening.start, "This ( is not closed; expected a ) after it")
        return node

    def _descend(self, token: Operator) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise FilterFault(token.start, f"A filter may be nested {DEEPEST} deep at most")

    def _term(self, first: Word) -> Node:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise FilterFault(first.start, f"A filter may have at most {MOST_TERMS} terms")
        self.at += 1
        if first.sigil:
            return _named(first)
        if _is_priority(first):
            return Priority(_PRIORITIES[first.text.lower()])
        return self._phrase(first)

    def _phrase(self, first: Word) -> Node:
        """The words up to the next sign of the language; those after `search:` all belong to it."""
        words = [first]
        takes_all = first.is_plain and first.text.lower().startswith("search:")
        while isinstance(token := self._next(), Word) and (takes_all or not _is_structure(token)):
            words.append(token)
            self.at += 1
        node = term_of(words, self.reading, only_with_colon=self.is_search and not self.is_structured)
        if node is not None:
            return node
        if not self.is_search:
            raise _unknown(words)
        return _says(words)


def _says(words: list[Word]) -> Says:
    found = words_of(" ".join(word.text for word in words))
    if not found:
        raise FilterFault(words[0].start, "Expected a word with a letter or a digit")
    return Says(tuple(found))


def _named(word: Word) -> Named:
    pattern = "".join(
        WILDCARD if letter == "*" and plain else letter for letter, plain in zip(word.text, word.plain, strict=True)
    )
    # A list above others would be ##, and lists have none above them.
    pattern = pattern[1:].removeprefix("#") if word.sigil == "#" else pattern[1:]
    if not pattern:
        raise FilterFault(word.start, f"Expected a name after {word.text}")
    return Named(_KINDS[word.sigil], pattern)  # type: ignore[arg-type]


def _is_priority(word: Word) -> bool:
    return word.is_plain and word.text.lower() in _PRIORITIES


def _is_structure(token: Token) -> bool:
    return isinstance(token, Operator) or bool(token.sigil) or _is_priority(token)


def _unknown(words: list[Word]) -> FilterFault:
    for word in words:
        for at, (letter, plain) in enumerate(zip(word.text, word.plain, strict=True)):
            if letter == "," and plain:
                return FilterFault(word.start + at, "There is one result at a time; use | for either of two")
    text = " ".join(word.text for word in words)[:50]
    return FilterFault(words[0].start, f'"{text}" is no term. {_EXPECTED}; a name with blanks is written #"My list"')
