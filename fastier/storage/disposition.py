"""The Content-Disposition of a download (RFC 6266), from a file name that a stranger chose."""

import unicodedata
from urllib.parse import quote

_SAFE = "!#$&+-.^_`|~"


def content_disposition(file_name: str, *, inline: bool) -> str:
    """`attachment` or `inline` with the name: plain for old clients, percent-encoded UTF-8 for the others."""
    name = clean_file_name(file_name)
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "file"
    plain = "".join("_" if character in '"\\%' else character for character in ascii_name)
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_SAFE)}"


def clean_file_name(name: str) -> str:
    """The name without folders, control characters and direction marks; never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(character for character in last if unicodedata.category(character)[0] != "C").strip(" .")
    # File systems count bytes, and the cut must not leave half a character.
    return kept.encode()[:255].decode(errors="ignore").rstrip(" .") or "file"
