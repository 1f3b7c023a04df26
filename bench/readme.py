"""Puts what was measured between its marks in the README."""

from bench.servers import ROOT


def write(part: str, table: str) -> None:
    """Replace what stands between `<!-- part:start -->` and `<!-- part:end -->`."""
    start, end = f"<!-- {part}:start -->", f"<!-- {part}:end -->"
    path = ROOT / "README.md"
    before, rest = path.read_text().split(start)
    path.write_text(f"{before}{start}\n{table}\n{end}{rest.split(end)[1]}")
