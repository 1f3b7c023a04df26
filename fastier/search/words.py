"""Splits text into the words that it is found by, as the database does, and guesses at what was meant by a typo."""

import re
import unicodedata
from collections.abc import Iterator

# The same three as in migration 0004; a test compares what both make of a text.
_SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_LETTERS = (
    r"0-9a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2c00-\u2dff\u3100-\u33ff\ua000-\ud7ff"
    r"\ufb00-\ufdff\ufe70-\ufefe\U00010000-\U0001efff\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_SIGNS}]|[{_LETTERS}]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
LONGEST_WORD = 40
# Below this length almost any word is one letter from another; from the other on, people make two mistakes.
SHORTEST_TYPO = 4
SHORTEST_DOUBLE_TYPO = 7

_SMALL_ASCII = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
_SMALL = {
    **_SMALL_ASCII,
    **{
        code: ord(chr(code).lower())
        for code in range(0x80, 0x600)
        if unicodedata.normalize("NFKD", chr(code)) == chr(code)
        and chr(code).lower() != chr(code)
        and len(chr(code).lower()) == 1
    },
}


def fold(value: str) -> str:
    """The text without case and accents; `Café` and `CAFE` are the same."""
    if value.isascii():
        return value.translate(_SMALL_ASCII)
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", value)).translate(_SMALL)


def words_of(value: str) -> list[str]:
    """The folded words of a text, in their order, each once."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(fold(value))))


def typos(word: str) -> list[str]:
    """Every word that one mistake turns into this one: a letter too many, too few, wrong, or two swapped."""
    if not allowed_distance(word):
        return []
    return [meant for meant in dict.fromkeys(_one_mistake(word)) if meant != word]


def _one_mistake(word: str) -> Iterator[str]:
    alphabet = "".join(sorted({*"abcdefghijklmnopqrstuvwxyz", *word})) if word.isascii() else "".join(set(word))
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in alphabet:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]


def distance(one: str, other: str) -> int:
    """How many letters must be added, left out, exchanged or swapped with their neighbour to make one the other."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, letter_there in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != letter_there))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == letter_there:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def allowed_distance(word: str) -> int:
    """How many mistakes a word of this length may hold; another number is never what was meant."""
    if len(word) < SHORTEST_TYPO or any(letter.isdigit() for letter in word):
        return 0
    return 1 if len(word) < SHORTEST_DOUBLE_TYPO else 2
