"""A file name that a stranger chose never becomes more than a file name."""

import re
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from fastier.storage.disposition import clean_file_name, content_disposition

# RFC 6266 with the two forms of the name; the extended one as in RFC 8187.
_FORM = re.compile(
    r"""(attachment|inline); filename="([^"\\%/\x00-\x1f\x7f]+)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)"""
)

nasty = st.text(st.sampled_from("\"'\\/;=%\r\n\t\0. aä€\u202e\u2028\x7f\x85日😀*")) | st.text()


@given(name=nasty, inline=st.booleans())
@example(name="", inline=False)
@example(name="/", inline=False)
@example(name="..", inline=True)
@example(name="\ud800", inline=True)
@example(name="x" * 10_000, inline=False)
def test_the_header_always_has_the_form_of_rfc_6266(name: str, inline: bool) -> None:
    found = _FORM.fullmatch(content_disposition(name, inline=inline))
    assert found
    assert found[1] == ("inline" if inline else "attachment")
    assert found[2].isascii()
    assert unquote(found[3], errors="strict") == clean_file_name(name)


@given(name=nasty)
@example(name="€" * 100)
@example(name="a" * 254 + ". b")
def test_a_clean_name_stays_in_its_folder(name: str) -> None:
    clean = clean_file_name(name)
    assert clean not in ("", ".", "..")
    assert not set(clean) & set("/\\\r\n\0\u202e")
    assert len(clean.encode()) <= 255
    assert clean == clean.rstrip(" .")


def test_an_ordinary_name_is_kept() -> None:
    assert content_disposition("Q3 report.pdf", inline=False) == (
        "attachment; filename=\"Q3 report.pdf\"; filename*=UTF-8''Q3%20report.pdf"
    )


def test_a_foreign_name_has_a_plain_form_for_old_clients() -> None:
    header = content_disposition("Übersicht €.pdf", inline=True)
    assert header == "inline; filename=\"Ubersicht .pdf\"; filename*=UTF-8''%C3%9Cbersicht%20%E2%82%AC.pdf"
