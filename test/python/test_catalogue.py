"""The catalogue in docs/formats.md is what the library says."""

from pathlib import Path

import catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def test_the_page_has_the_rows_of_the_library():
    lines = PAGE.read_text().splitlines()
    rows = catalogue.format_rows() + catalogue.block_rows()
    missing = [row for row in rows if row not in lines]
    assert not missing, "write these rows into docs/formats.md (test/python/catalogue.py prints all)"
    tables = [line for line in lines if line.startswith("| ")]
    assert len(tables) == len(rows) + 2  # and the two heads: no row is of a format that is gone
