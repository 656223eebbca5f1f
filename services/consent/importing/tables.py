"""Reads a CSV file line by line: each is its cells, or why it cannot be read; none hides another.

A line is a line of the file: a cell holds no line break, so that a quote which is never closed
spoils its own line and not all that follow. What is held in memory is one line, of bounded length.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from shared.canonical import nfc
from shared.errors import Reason

LINE_CHARACTERS_MAX = 10_000
"""Characters in a line at most: a clerk with twenty phones has five hundred."""

BLOCK_BYTES = 1 << 20

NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of a byte that is not UTF-8."""

FORMULA = ("=", "+", "-", "@")
"""What a cell begins with that a spreadsheet would run."""

PLUS_IS_FINE = "phones"
"""The one column whose cells begin with a plus by right."""


class Unreadable(Exception):
    """The file is not a table of the directory; nothing of it is imported."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line by its number in the file, from 1: its cells by column, or why there are none.

    A reason's `detail` is the column, where it is about one.
    """

    number: int
    cells: dict[str, str] = field(default_factory=dict)
    reasons: Sequence[Reason] = ()


@dataclass(frozen=True)
class Table:
    """A file with a header: UTF-8 with or without a byte order mark, commas or semicolons."""

    path: Path
    columns: tuple[str, ...]
    delimiter: str

    @classmethod
    def of(cls, path: Path) -> "Table":
        """Read the header; raises `Unreadable`, or `OSError` for a file that cannot be opened."""
        with _opened(path) as file:
            header = _line(file) or ""
        delimiter = max(",;", key=header.count)
        cells = None if NOT_UTF8.search(header) else _cells(header, delimiter)
        if not cells:
            raise Unreadable(f"{path}: the first line is no header in UTF-8")
        columns = tuple(cell.lower() for cell in cells)
        if len(set(columns)) < len(columns):
            raise Unreadable(f"{path}: the header names a column twice")
        return cls(path, columns, delimiter)

    def lines(self) -> Iterator[Line]:
        """Yield every line behind the header; empty ones are passed over."""
        with _opened(self.path) as file:
            _line(file)
            for number, text in enumerate(iter(lambda: _line(file), None), start=2):
                if text.strip(f"{self.delimiter} \t\n"):
                    yield self._read(number, text)

    def count(self) -> int:
        """Return how many lines are behind the header, without reading them one by one."""
        with self.path.open("rb") as file:
            blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
            return max(sum(block.count(b"\n") for block in blocks) - 1, 0)

    def _read(self, number: int, text: str) -> Line:
        if NOT_UTF8.search(text):
            return Line(number, reasons=[Reason("line_not_utf8")])
        if len(text) > LINE_CHARACTERS_MAX:
            return Line(number, reasons=[Reason("line_too_long")])
        cells = _cells(text, self.delimiter)
        if cells is None:
            return Line(number, reasons=[Reason("line_malformed")])
        if len(cells) != len(self.columns):
            return Line(number, reasons=[Reason("line_length")])
        by_column = dict(zip(self.columns, cells, strict=True))
        return Line(number, by_column, [*_unsafe(by_column)])


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if not path.is_file():  # a pipe could not be read twice
        raise Unreadable(f"{path}: there is no such file")
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        yield file


def _line(file: TextIO) -> str | None:
    """Return the next line, None at the end; of one that is too long, the beginning."""
    line = rest = file.readline(LINE_CHARACTERS_MAX + 1)
    while len(rest) > LINE_CHARACTERS_MAX and not rest.endswith("\n"):
        rest = file.readline(LINE_CHARACTERS_MAX + 1)
    return line or None


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Return a line's cells, trimmed and in NFC; None if it is not CSV."""
    reader = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        (cells,) = reader
    except (csv.Error, ValueError):
        return None
    return [nfc(cell.strip()) for cell in cells]


def _unsafe(cells: dict[str, str]) -> Iterator[Reason]:
    """Yield which cells hold what is not text to be read: NUL and its like, and formulas."""
    for column, cell in cells.items():
        if not cell.isprintable():
            yield Reason("cell_control", detail=column)
        elif cell.startswith(FORMULA) and column != PLUS_IS_FINE:
            yield Reason("cell_formula", detail=column)
