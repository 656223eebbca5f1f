"""A thousand rounds of each kind of decision against an opening of the same consent, both stores.

Two processes of each service serve one log from one folder, unless said otherwise, so that the
decision goes to another process than the use.

No figure is compared here: what counts is that every law holds after each hundred rounds, and that
every caller was told what the logs say; else the run ends there. PostgreSQL is `DATABASE_URL`, or a
server from the development wheel. How often the decision was first
stands beside how often the opening was, because a race that always ends alike shows nothing.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.rows import Row
from tests.support.postgres import a_postgres, in_a_schema
from tests.support.processes import Running, running
from tests.support.race_kinds import KINDS
from tests.support.races import ACT, OPENING, Kind, a_course

ROUNDS = 1_000

PROCESSES = 2
"""Of each service."""

SQLITE, POSTGRES = "SQLite", "PostgreSQL"

DURABILITY = {
    SQLITE: "SQLite WAL, synchronous=FULL, both logs",
    POSTGRES: "PostgreSQL, fsync and synchronous_commit on, both logs",
}


def run(
    rounds: int = ROUNDS,
    *,
    kinds: Collection[str] = KINDS,
    stores: Collection[str] = DURABILITY,
    processes: int = PROCESSES,
) -> list[Row]:
    """Run so many rounds of each kind on each store, in services of their own."""
    rows = list[Row]()
    for store in stores:
        with (
            TemporaryDirectory(prefix="thuan-bench-") as folder,
            _server(store, Path(folder)) as url,
        ):
            rows += [_row(kind, rounds, store, url, processes) for kind in kinds]
    return rows


def _row(kind: str, rounds: int, store: str, url: str, processes: int) -> Row:
    ledgers = {name: in_a_schema(url) for name in ("consent", "accounts")} if url else {}
    with (
        TemporaryDirectory(prefix="thuan-bench-") as folder,
        running(Path(folder), by_proxy=False, ledgers=ledgers, processes=processes) as both,
    ):
        begun = time.perf_counter()
        winners = asyncio.run(_play(both, KINDS[kind], rounds))
        seconds = time.perf_counter() - begun
    return Row(
        measure=f"{kind}: {winners.total():,} rounds in {seconds:.0f} s"
        f" by {2 * processes} processes, decision first",
        ours=winners[ACT],
        against=winners[OPENING],
        other="opening first",
        aim="no law broken",
        met=True,
        durability=DURABILITY[store],
    )


async def _play(both: Running, kind: Kind, rounds: int) -> Counter[str]:
    async with a_course(both) as course:
        return await course.play(kind, rounds)


def _server(store: str, folder: Path) -> AbstractContextManager[str]:
    """Give the address of a PostgreSQL if the store is one, else nothing."""
    if store == SQLITE:
        return nullcontext("")
    if url := os.environ.get("DATABASE_URL"):
        return nullcontext(url)
    (folder / "postgres").mkdir()
    return a_postgres(folder / "postgres")
