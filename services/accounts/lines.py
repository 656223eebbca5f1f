"""Reads the bank's list line by line, from bytes as they arrive: each is an account, or an error.

CSV (RFC 4180 without line breaks in cells; commas or semicolons; UTF-8 with or without a byte order
mark) with a header, or NDJSON, an object a line. In memory are a batch of lines and a piece of the
body, however long either is. Account numbers are gone when a line was read.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.accounts.facts import Came, Noted
from services.accounts.reconciliation import Listed
from shared.contracts.fields import EARLIEST, ID_PATTERN, LATEST
from shared.marks import Marks

LINE_BYTES_MAX = 4_096
"""Bytes in a line at most; one with every cell at its longest has 430."""

ACCOUNT_END_DIGITS = 4
"""How much of an account number a fact may show."""

NUMBER_PATTERN = r"^[0-9A-Za-z]{6,34}$"
"""An account number, as in a confirmation."""

MARK = b"\xef\xbb\xbf"
"""What some programs begin UTF-8 with."""

ENDS = b"\r\n"

NEEDED = ("account_number", "opened_at")
COLUMNS = (*NEEDED, "opening_id", "office_id", "clerk_id", "product_id")

_number, _id = re.compile(NUMBER_PATTERN), re.compile(ID_PATTERN)


class Form(StrEnum):
    """How the list is written: its media type."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"


class NoHeader(Exception):
    """The first line of a CSV is no header with the columns that are needed, and no others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines as they came, the first by its number; `digest` is of all up to their end."""

    number: int
    first: int
    lines: Sequence[bytes]
    digest: str


class Pieces:
    """Cuts what arrives into pieces of so many lines, wherever the network cut it."""

    def __init__(self, lines_in_one: int) -> None:
        self.lines = 0
        self._in_one = lines_in_one
        self._hash = hashlib.sha256()
        self._open = b""
        self._whole = list[bytes]()

    def feed(self, block: bytes) -> Iterator[Piece]:
        """Take in what arrived, and yield the pieces that are whole."""
        *ended, rest = block.split(b"\n")
        for one in ended:
            self._take(one + b"\n")
            self._end_line()
            if len(self._whole) == self._in_one:
                yield self._piece()
        self._take(rest)

    def end(self) -> Iterator[Piece]:
        """Yield what is left."""
        if self._open:
            self._end_line()
        if self._whole:
            yield self._piece()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all that arrived."""
        return self._hash.hexdigest()

    @property
    def count(self) -> int:
        """Return how many pieces there were."""
        return -(-self.lines // self._in_one)

    def _take(self, some: bytes) -> None:
        self._hash.update(some)
        if len(self._open) <= LINE_BYTES_MAX + len(ENDS):  # of a longer line, enough to show that
            self._open += some[: LINE_BYTES_MAX + len(ENDS) + 1]

    def _end_line(self) -> None:
        self._whole.append(self._open.removesuffix(b"\n").removesuffix(b"\r"))
        self._open = b""
        self.lines += 1

    def _piece(self) -> Piece:
        first = self.lines - len(self._whole)
        piece = Piece(first // self._in_one, first + 1, self._whole, self._hash.hexdigest())
        self._whole = []
        return piece


# -- lines ----------------------------------------------------------------------------------------


class BadLine(Exception):
    """A line that cannot be read: a code, and the column if it is about one."""

    def __init__(self, code: str, column: str | None = None) -> None:
        super().__init__(code)
        self.code, self.column = code, column


class Lines:
    """Reads the lines of one bank's list, in order."""

    def __init__(self, form: Form, marks: Marks, bank_id: str) -> None:
        self._cells = Table() if form is Form.CSV else Objects()
        self._marks, self._bank_id = marks, bank_id

    def read(self, piece: Piece) -> Iterator[Listed | Noted]:
        """Yield what each line says, or why it cannot be read; raises `NoHeader`."""
        for number, raw in enumerate(piece.lines, start=piece.first):
            try:
                cells = self._cells.read(number, raw)
                if cells is not None:
                    yield self._listed(number, cells)
            except BadLine as bad:
                yield Noted(line=number, came=Came.BAD, code=bad.code, column=bad.column)

    def _listed(self, number: int, cells: Mapping[str, str]) -> Listed:
        said: dict[str, Any] = {name: _CHECKS[name](name, cells) for name in COLUMNS}
        account = said.pop("account_number")
        return Listed(
            line=number,
            account_id=self._marks.mark(self._bank_id, account),
            account_end=account[-ACCOUNT_END_DIGITS:],
            **said,
        )


class Table:
    """Lines of a CSV: the first is its header."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()
        self._delimiter = ","

    def read(self, number: int, raw: bytes) -> dict[str, str] | None:
        """Return a line's cells by column, None for the header and an empty line."""
        if number == 1:
            self._read_header(raw.removeprefix(MARK))
            return None
        text = _text(raw)
        if not text.strip(f"{self._delimiter} \t"):
            return None
        cells = self._split(text)
        if len(cells) != len(self._columns):
            raise BadLine("line_length")
        return dict(zip(self._columns, cells, strict=True))

    def _read_header(self, raw: bytes) -> None:
        try:
            text = _text(raw)
            self._delimiter = max(",;", key=text.count)
            columns = tuple(cell.lower() for cell in self._split(text))
        except BadLine:
            raise NoHeader from None
        if len(set(columns)) < len(columns) or not set(NEEDED) <= set(columns) <= set(COLUMNS):
            raise NoHeader
        self._columns = columns

    def _split(self, text: str) -> list[str]:
        if '"' not in text:
            return [cell.strip() for cell in text.split(self._delimiter)]
        reader = csv.reader([text], delimiter=self._delimiter, skipinitialspace=True, strict=True)
        try:
            (cells,) = reader
        except (csv.Error, ValueError):
            raise BadLine("line_malformed") from None
        return [cell.strip() for cell in cells]


class Objects:
    """Lines of NDJSON: each an object whose members are texts, or null where there is none."""

    def read(self, number: int, raw: bytes) -> dict[str, str] | None:
        """Return a line's members by name, None for an empty line."""
        raw = raw.removeprefix(MARK) if number == 1 else raw
        text = _text(raw)
        if not text.strip():
            return None
        try:
            said = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise BadLine("line_not_object") from None
        if not said.keys() <= set(COLUMNS):
            raise BadLine("member_unknown")
        return {name: _said(name, one) for name, one in said.items()}


def _said(name: str, one: object) -> str:
    if one is None:
        return ""
    if not isinstance(one, str):
        raise BadLine("cell_malformed", name)
    return one.strip()


def _text(raw: bytes) -> str:
    if len(raw) > LINE_BYTES_MAX:
        raise BadLine("line_too_long")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadLine("line_not_utf8") from None


# -- cells ----------------------------------------------------------------------------------------


def _account(name: str, cells: Mapping[str, str]) -> str:
    return _matching(_number, name, _needed(name, cells))


def _instant(name: str, cells: Mapping[str, str]) -> datetime:
    cell = _needed(name, cells)
    try:
        instant = datetime.fromisoformat(cell)
        if instant.tzinfo is not None and EARLIEST <= instant <= LATEST:
            return instant.astimezone(UTC)
    except ValueError:
        pass
    raise BadLine("cell_malformed", name)


def _optional_id(name: str, cells: Mapping[str, str]) -> str | None:
    cell = cells.get(name)
    return _matching(_id, name, cell) if cell else None


def _needed(name: str, cells: Mapping[str, str]) -> str:
    if cell := cells.get(name):
        return cell
    raise BadLine("cell_missing", name)


def _matching(pattern: re.Pattern[str], name: str, cell: str) -> str:
    if pattern.fullmatch(cell):
        return cell
    raise BadLine("cell_malformed", name)


_CHECKS: Mapping[str, Callable[[str, Mapping[str, str]], Any]] = {
    **dict.fromkeys(COLUMNS, _optional_id),
    "account_number": _account,
    "opened_at": _instant,
}
