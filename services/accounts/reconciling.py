"""Takes a bank's list as it arrives: some lines are read, matched and recorded, then the next.

What a crash, a lost connection or a no leaves are whole batches; the same file again finds them,
and goes on behind the last. Reading is done beside the event loop, so that others are answered.
"""

import asyncio
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

from services.accounts.facts import AccountConfirmed, Came, Counts, LinesReconciled, Noted
from services.accounts.lines import Form, Lines, NoHeader, Piece, Pieces
from services.accounts.reconciliation import (
    FINISH,
    RECONCILE,
    REFUSE,
    START,
    Batch,
    Finish,
    Found,
    Listed,
    Refuse,
    Start,
    accounts_arms,
    added,
    batch_id,
    full_id,
)
from services.accounts.repeats import Repeats, nothing_named
from shared.errors import Kind, Unavailable
from shared.ledger.log import ATTEMPTS_MAX, Log, about
from shared.marks import Marks

MARK_DIGITS = 32
"""Of an account's mark: enough to tell any two apart, and half the disk."""

RETRY_AFTER_S = 30
"""Seconds after which a bank may ask again for its turn: most lists are in by then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much of one list is taken, how long is waited for it, and how many at once."""

    file_bytes: int = 256 * 1024 * 1024
    lines: int = 2_000_000
    block_s: float = 30.0
    """Seconds without a byte, after which a list counts as cut off."""

    whole_s: float = 3_600.0
    at_once: int = 4
    """Lists that one process takes at once, one of each bank."""

    batch_lines: int = 250
    """Lines that are matched at once: their facts are read in one go, some milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BankList:
    """A bank's list: whose, under which id of its own, up to which day, in which form."""

    own_id: str
    bank_id: str
    day: date
    form: Form

    @property
    def id(self) -> str:
        """Return the id that facts carry."""
        return full_id(self.bank_id, self.own_id)


class CutOff(Exception):
    """Whoever sends went away before the end."""


class Reconciling:
    """Reconciles the lists of banks with one log."""

    def __init__(self, log: Log, marks: Marks, folder: Path, bounds: Bounds | None = None) -> None:
        """`folder` is the service's own, on a disk."""
        self._log, self._marks, self._folder = log, marks, folder
        self.bounds = bounds or Bounds()
        self._underway = set[str]()

    async def take(self, asked: BankList, body: AsyncIterable[bytes], length: int | None) -> None:
        """Take a list, or as much of it as arrives; `length` are its bytes, if that was said.

        Raises `Rejection` for what is too large, too slow, no list, or another list than the one
        that this id stands for, and `Unavailable` where there is no place for it now.
        """
        if length is not None and length > self.bounds.file_bytes:
            await self.refuse(asked.id, asked.bank_id, Kind.TOO_LARGE, "file_too_large")
        with self._place(asked.bank_id), nothing_named(self._folder) as repeats:
            run = Run(self._log, asked, Reader(asked, self._marks, repeats))
            try:
                async with asyncio.timeout(self.bounds.whole_s):
                    await self._read(run, body)
            except (TimeoutError, CutOff):
                await self.refuse(asked.id, asked.bank_id, Kind.TOO_SLOW, "file_cut_off")
            except NoHeader:
                await self.refuse(asked.id, asked.bank_id, Kind.MALFORMED, "header_malformed")

    async def _read(self, run: "Run", body: AsyncIterable[bytes]) -> None:
        pieces = Pieces(await run.start(self.bounds.batch_lines))
        size, blocks = 0, aiter(body)
        while True:
            async with asyncio.timeout(self.bounds.block_s):
                block = await anext(blocks, None)
            if block is None:
                break
            size += len(block)
            for piece in pieces.feed(block):
                await self._check(run.asked, size, pieces.lines)
                await run.reconcile(piece)
            await self._check(run.asked, size, pieces.lines)
        for piece in pieces.end():
            await run.reconcile(piece)
        if not pieces.lines and run.asked.form is Form.CSV:
            raise NoHeader
        await run.finish(pieces)

    async def _check(self, asked: BankList, size: int, lines: int) -> None:
        """Take no more of a list that is too large."""
        if size > self.bounds.file_bytes or lines > self.bounds.lines:
            await self.refuse(asked.id, asked.bank_id, Kind.TOO_LARGE, "file_too_large")

    async def refuse(self, reconciliation_id: str, bank_id: str, kind: Kind, code: str) -> None:
        """Record that a list is not taken, and raise that `Rejection`."""
        no = Refuse(reconciliation_id=reconciliation_id, bank_id=bank_id, kind=kind, code=code)
        await self._log.perform(REFUSE, no)

    @contextmanager
    def _place(self, bank_id: str) -> Iterator[None]:
        """Hold one of the places for as long as a list is taken; a bank has one of them."""
        if bank_id in self._underway or len(self._underway) >= self.bounds.at_once:
            raise Unavailable("reconciling_already", retry_after_s=RETRY_AFTER_S)
        self._underway.add(bank_id)
        try:
            yield
        finally:
            self._underway.remove(bank_id)


class Reader:
    """Reads the pieces of one list; finds what an earlier line said already."""

    def __init__(self, asked: BankList, marks: Marks, repeats: Repeats) -> None:
        self._lines = Lines(asked.form, marks, asked.bank_id)
        self._repeats = repeats

    def read(self, piece: Piece) -> tuple[list[Listed], list[Noted]]:
        """Return the lines that say something new, and those that are bad; raises `NoHeader`."""
        read = list(self._lines.read(piece))
        listed = [one for one in read if isinstance(one, Listed)]
        bad = [one for one in read if isinstance(one, Noted)]
        new = self._repeats.new(one.account_id[:MARK_DIGITS] for one in listed)
        once = list[Listed]()
        for one in listed:
            mark = one.account_id[:MARK_DIGITS]
            if mark in new:
                new.remove(mark)
                once.append(one)
            else:
                bad.append(Noted(line=one.line, came=Came.BAD, code="line_repeated"))
        return self._with_openings(once), bad

    def _with_openings(self, listed: list[Listed]) -> list[Listed]:
        """Return the lines, those marked whose opening an earlier line named."""
        new = self._repeats.new(f"opening:{one.opening_id}" for one in listed if one.opening_id)
        marked = list[Listed]()
        for one in listed:
            name = f"opening:{one.opening_id}"
            marked.append(replace(one, named_before=bool(one.opening_id) and name not in new))
            new.discard(name)
        return marked


class Run:
    """One list on its way into the log."""

    def __init__(self, log: Log, asked: BankList, reader: Reader) -> None:
        self.asked = asked
        self._log, self._reader = log, reader
        self._counts = Counts()

    async def start(self, batch_lines: int) -> int:
        """Begin; return how many lines are taken at once, which stays as it was begun."""
        asked = Start(
            reconciliation_id=self.asked.id,
            bank_id=self.asked.bank_id,
            day=self.asked.day,
            batch_lines=batch_lines,
        )
        started = (await self._log.perform(START, asked)).state.started
        assert started
        return started.batch_lines

    async def reconcile(self, piece: Piece) -> None:
        """Read, match and record a piece."""
        listed, bad = await asyncio.to_thread(self._reader.read, piece)
        batch = Batch(
            reconciliation_id=self.asked.id,
            bank_id=self.asked.bank_id,
            number=piece.number,
            first=piece.first,
            last=piece.first + len(piece.lines) - 1,
            digest=piece.digest,
            listed=listed,
            bad=bad,
        )
        self._counts = added(self._counts, (await self._recorded(batch)).counts)

    async def finish(self, pieces: Pieces) -> None:
        """Record the end."""
        asked = Finish(
            reconciliation_id=self.asked.id,
            bank_id=self.asked.bank_id,
            day=self.asked.day,
            batches=pieces.count,
            sha256=pieces.digest,
            counts=self._counts,
        )
        await self._log.perform(FINISH, asked)

    async def _recorded(self, batch: Batch) -> LinesReconciled:
        """Record what came of a batch, and return what is recorded of it."""
        own = about(f"batch:{batch_id(batch.reconciliation_id, batch.number)}")
        for earlier in await self._log.read(own):
            if earlier.fact.digest == batch.digest:  # an earlier run came so far
                return cast("LinesReconciled", earlier.fact)
        for _ in range(ATTEMPTS_MAX):
            looked = await self._looked_up(batch)
            await asyncio.sleep(0)  # an embedded store is read in place: others come between
            try:
                outcome = await self._log.perform(RECONCILE, looked)
            except Unavailable as no:
                if no.code != "contended":
                    raise
                continue
            recorded = Found(outcome.state).batch
            assert recorded
            return recorded
        raise Unavailable("contended")

    async def _looked_up(self, batch: Batch) -> Batch:
        """Return the batch with the openings that its accounts were confirmed under, or name."""
        arms = accounts_arms(batch.listed)
        facts = [one.fact for one in await self._log.read(*arms)] if arms else []
        under = {
            one.account_id: one.opening_id for one in facts if isinstance(one, AccountConfirmed)
        }
        named = {
            one.opening_id
            for one in batch.listed
            if one.opening_id and under.get(one.account_id) != one.opening_id
        }
        return replace(batch, confirmed=frozenset(under.values()) - named, named=frozenset(named))
