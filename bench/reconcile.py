"""A bank's list of a million accounts, with planted ones that nobody consented to.

The log has confirmed accounts for nearly all lines; planted among them, at chance, are orphans,
frozen accounts and bad lines. Three lists in turn, ten times as long each, go to one service over a
socket: what it holds must not grow, every planted line must be found, and no other. Meanwhile
somebody else asks for an opening. `LINES` in the environment sets another length, `DATABASE_URL` a
PostgreSQL in place of SQLite.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from eventsourcing.dcb.api import DCBEvent

from bench.processes import free_port, serving
from bench.rows import Row
from demo.cast import Tokens, make_tokens
from services.accounts.facts import VOCABULARY, AccountConfirmed, AccountFrozen
from services.accounts.main import init
from services.accounts.settings import Settings
from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.recorder import Append
from shared.marks import Marks

LINES = int(os.environ.get("LINES", "1_000_000"))
SHORTER = (100, 10)
"""How many times shorter the first lists are."""

PLANTED_IN = 1_000
"""One line in so many is planted, of each kind."""

KINDS = ("without_consent", "stopped", "bad")
BANK = "so-viet"
AT_ONCE = 5_000
BLOCK_BYTES = 65_536

MINUTES_AIM = 10.0
GROWTH_AIM_MB = 32.0
"""What the service may hold more for a hundred times as many lines: pages of the store's cache,
which has a bound of its own."""


@dataclass(frozen=True)
class Took:
    """What a list took: seconds, MB held before it and at most, milliseconds others waited."""

    lines: int
    seconds: float
    before: float
    most: float
    waits: list[float]
    planted: int
    wrong: int


def run(lines: int = LINES) -> list[Row]:
    """Fill a log, hand in the lists, and return the rows."""
    with TemporaryDirectory(prefix="thuan-bench-") as name:
        folder = Path(name)
        tokens = make_tokens(folder)
        settings = _settings(folder, tokens)
        init(settings)
        _fill(settings, lines)
        port = free_port()
        env = {
            "ACCOUNTS_FOLDER": str(settings.folder),
            "ACCOUNTS_LEDGER": settings.ledger,
            "ACCOUNTS_TOKENS": str(tokens.file),
        }
        command = [sys.executable, "-m", "services.accounts", "serve"]
        with serving(command, port, env):
            sizes = [*(lines // one for one in SHORTER), lines]
            took = [asyncio.run(_hand_in(port, tokens, size, lines)) for size in (*sizes, lines)]
    return [*_rows(took[:-1]), _again(*took[-2:])]


def _settings(folder: Path, tokens: Tokens) -> Settings:
    ledger = os.environ.get("DATABASE_URL", "")
    if ledger:
        ledger += f"{'&' if '?' in ledger else '?'}schema={folder.name.replace('-', '_').lower()}"
    return Settings(folder=folder / "accounts", ledger=ledger, tokens=tokens.file)


# -- what is in the log, and what in the list -----------------------------------------------------


def _number(at: int) -> str:
    return f"{at:012d}"


def _planted(lines: int) -> dict[int, str]:
    """Return which lines are planted, and of which kind."""
    chance = random.Random(lines)  # noqa: S311 - the same each time
    count = max(lines // PLANTED_IN, 1)
    places = chance.sample(range(lines), count * len(KINDS))
    return {place: KINDS[order % len(KINDS)] for order, place in enumerate(places)}


def _fill(settings: Settings, lines: int) -> None:
    """Confirm an account for each line, and freeze the planted ones, as the rules would have."""
    marks = Marks.of(settings.folder)
    frozen = [at for at, kind in _planted(lines).items() if kind == "stopped"]
    with closing(stores.open_recorder(settings.ledger_address, system_clock)) as recorder:
        for first in range(0, lines, AT_ONCE):
            events = [_confirmed(marks, at) for at in range(first, min(first + AT_ONCE, lines))]
            recorder.append_batch([Append(events)])
        recorder.append_batch([Append([_frozen(at) for at in frozen])])


def _confirmed(marks: Marks, at: int) -> DCBEvent:
    number = _number(at)
    fact: Any = AccountConfirmed(
        opening_id=f"op-{at}",
        citizen_id=f"c-{at}",
        bank_id=BANK,
        account_id=marks.mark(BANK, number),
        account_end=number[-4:],
    )
    return VOCABULARY.encode(fact)


def _frozen(at: int) -> DCBEvent:
    fact: Any = AccountFrozen(
        opening_id=f"op-{at}",
        consent_id=f"q-{at}",
        citizen_id=f"c-{at}",
        bank_id=BANK,
        office_id=None,
        clerk_id=None,
        reason="consent_disputed",
    )
    return VOCABULARY.encode(fact)


def _lines(count: int) -> Iterator[str]:
    """Yield a list; of the openings, the bank knows half."""
    planted = _planted(count)
    yield "account_number,opened_at,opening_id,office_id,clerk_id,product_id\n"
    for at in range(count):
        number, rest = _number(at), f"op-{at},lao-bao,gdv-{at % 1000},payment"
        kind = planted.get(at)
        if kind == "without_consent":
            number, rest = f"{count:07d}{at:08d}", f",lao-bao,gdv-{at % 1000},payment"
        elif kind == "bad":
            number = "12"
        elif kind is None and at % 2:
            rest = f",lao-bao,gdv-{at % 1000},payment"
        yield f"{number},2023-08-09T09:00:00+07:00,{rest}\n"


# -- the list is handed in ------------------------------------------------------------------------


async def _hand_in(port: int, tokens: Tokens, count: int, whole: int) -> Took:
    base, headers = f"http://127.0.0.1:{port}", tokens.header(BANK)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=3600) as client:
        waits, stop = list[float](), asyncio.Event()
        asking = asyncio.create_task(_ask(client, waits, stop))
        process = _serving(port)
        _forget_most(process)
        before, started = _held(process), time.perf_counter()
        answer = await client.put(
            f"/reconciliations/r-{count}",
            params={"day": "2023-08-09"},
            content=_blocks(count),
            headers={"Content-Type": "text/csv"},
        )
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        stop.set()
        await asking
        most = _held(process, "VmHWM")
        planted, wrong = await _wrong(client, count, whole, answer.json()["counts"])
        return Took(count, seconds, before, most, waits, planted, wrong)


async def _blocks(count: int) -> AsyncIterator[bytes]:
    block = bytearray()
    for line in _lines(count):
        block += line.encode()
        if len(block) > BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


async def _ask(client: httpx.AsyncClient, waits: list[float], stop: asyncio.Event) -> None:
    """Ask for an opening again and again, and note how long that takes, in milliseconds."""
    while not stop.is_set():
        started = time.perf_counter()
        await client.get("/openings/none")
        waits.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.02)


async def _wrong(
    client: httpx.AsyncClient, count: int, whole: int, counts: dict[str, int]
) -> tuple[int, int]:
    """Return how many lines are planted, and how many came otherwise than planted.

    What is frozen is so for all lists; a line that is an orphan or bad in one is so there.
    """
    wanted = {at: kind for at, kind in _planted(whole).items() if kind == "stopped" and at < count}
    wanted |= {at: kind for at, kind in _planted(count).items() if kind != "stopped"}
    found, after = dict[int, str](), 0
    while True:
        query = {"after": after, "limit": 1000}
        page = (await client.get(f"/reconciliations/r-{count}/lines", params=query)).json()
        if not page["lines"]:
            break
        found |= {one["line"] - 2: one["came"] for one in page["lines"]}
        after = page["next"]
    by_kind = Counter(found.values())
    assert counts["lines"] == count
    assert all(counts[kind] == by_kind[kind] for kind in KINDS)
    assert counts["matched"] == count - len(found)
    return len(wanted), len(found.items() ^ wanted.items())


def _serving(port: int) -> int:
    """Return the process that listens on a port: the one child of ours."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    (own,) = (
        int(one)
        for one in children
        if str(port) in Path(f"/proc/{one}/cmdline").read_text("utf-8").split("\0")
    )
    return own


def _held(process: int, what: str = "VmRSS") -> float:
    """Return the MB that a process holds, or held at most."""
    for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(what)


def _forget_most(process: int) -> None:
    """Have the kernel count anew what a process holds at most (proc(5), clear_refs)."""
    Path(f"/proc/{process}/clear_refs").write_text("5", "ascii")


# -- rows -----------------------------------------------------------------------------------------


def _row(took: Took, measure: str, ours: float, against: float, other: str, **more: Any) -> Row:
    store = "PostgreSQL" if "DATABASE_URL" in os.environ else "SQLite WAL, synchronous=FULL"
    return Row(
        measure=f"{measure}, {took.lines:,} lines",
        ours=ours,
        against=against,
        other=other,
        aim=more.get("aim", ""),
        met=more.get("met"),
        durability=store,
    )


def _rows(took: list[Took]) -> Iterator[Row]:
    first, last = took[0], took[-1]
    rate = first.lines / first.seconds
    for one in took:
        yield _row(one, "lines/s", one.lines / one.seconds, rate, f"{first.lines:,} lines")
        yield _row(one, "MB held at most", one.most, one.before, "before")
    waits = sorted(last.waits)
    late, middle = waits[int(len(waits) * 0.99)], statistics.median(waits)
    yield _row(last, "ms others waited, p99", late, middle, "the middle")
    for measure, ours, most in (
        ("MB held at most", last.most, first.most + GROWTH_AIM_MB),
        ("minutes", last.seconds / 60, MINUTES_AIM),
    ):
        met, aim = ours < most, f"< {most:,.0f}"
        yield _row(last, measure, ours, most, "the most allowed", aim=aim, met=met)
    planted, wrong = sum(one.planted for one in took), sum(one.wrong for one in took)
    found = "planted lines found, and no other"
    yield _row(last, found, planted - wrong, planted, "planted", aim="all", met=not wrong)


def _again(last: Took, again: Took) -> Row:
    return _row(again, "seconds, the same again", again.seconds, last.seconds, "at first")
