"""A store and the banks that hand in lists to it, and how lists are written."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from services.accounts.facts import VOCABULARY, LinesReconciled, Noted
from services.accounts.lines import COLUMNS, Form
from services.accounts.reconciling import BankList, Bounds, CutOff, Reconciling
from shared.ledger.log import Log, about
from shared.ledger.recorder import Append
from shared.marks import Marks

DAY = date(2023, 8, 9)
OPENED_AT = "2023-08-09T09:00:00+07:00"
Fact = Any


@dataclass
class Desk:
    """A store, and the banks that hand in lists to it."""

    log: Log
    marks: Marks
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def bank(self) -> str:
        """Return a bank that nobody knows yet."""
        return f"b{next(self.numbers)}"

    def enter(self, *facts: Fact) -> None:
        """Append facts."""
        self.log.recorder.append_batch([Append([VOCABULARY.encode(one) for one in facts])])

    async def take(
        self, own: BankList, body: bytes, *, cut: int | None = None, **bounds: Any
    ) -> None:
        """Hand in a list in blocks of seven bytes; with `cut`, no more than so many of them."""
        blocks = [body[at : at + 7] for at in range(0, len(body), 7)]

        async def sent() -> AsyncIterator[bytes]:
            for block in blocks[:cut]:
                yield block
            if cut is not None and cut < len(blocks):
                raise CutOff

        bounds = {"batch_lines": 3, **bounds}
        await Reconciling(self.log, self.marks, self.folder, Bounds(**bounds)).take(
            own, sent(), None
        )
        assert not list(self.folder.glob("list-*"))

    async def facts(self, *tags: str, kind: type[Fact] | None = None) -> list[Fact]:
        """Return the facts that carry all of these tags."""
        found = await self.log.read(about(*tags, kinds=[kind] if kind else []))
        return [one.fact for one in found]

    async def noted(self, own: BankList) -> list[Noted]:
        """Return the lines of a list that are to be looked at."""
        batches = await self.facts(f"reconciliation:{own.id}", kind=LinesReconciled)
        return [one for batch in batches for one in batch.noted]


def listed(bank_id: str, own_id: str = "l1", form: Form = Form.CSV) -> BankList:
    """Return a list of a bank."""
    return BankList(own_id=own_id, bank_id=bank_id, day=DAY, form=form)


def as_csv(lines: Sequence[dict[str, str]], delimiter: str = ",") -> bytes:
    """Return lines as CSV with a header."""
    rows = [delimiter.join(one.get(name, "") for name in COLUMNS) for one in lines]
    return "".join(f"{row}\n" for row in [delimiter.join(COLUMNS), *rows]).encode()


def as_ndjson(lines: Sequence[dict[str, str]]) -> bytes:
    """Return lines as NDJSON."""
    return "".join(f"{json.dumps(one)}\n" for one in lines).encode()


def line(number: str, **more: str) -> dict[str, str]:
    """Return a line of an account with this number."""
    return {"account_number": number, "opened_at": OPENED_AT, **more}
