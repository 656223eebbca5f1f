"""The ledger beside what one would build otherwise: appends, one client alone, proof, reading.

Every append is one fact under a condition of its own. 128 clients wait for their answers at the
same time. PostgreSQL is `DATABASE_URL`, or a server from the development wheel.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBQueryItem,
    DCBRecorder,
)
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.persistence import IntegrityError
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from typing_extensions import override

from bench.rows import Row
from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.checkpoints import Checkpoints, create_checkpoints
from shared.ledger.integrator import Integrator
from shared.ledger.log import GroupCommit
from shared.ledger.merkle import Frontier
from shared.ledger.notes import Algorithm, SigningKey
from shared.ledger.recorder import Append, Appended, Entering, Head, Recorder, StoredFact
from shared.ledger.sqlite import SQLiteRecorder
from shared.ledger.tiles import PublicFolder
from shared.ledger.verify import facts_of, verify
from tests.support.postgres import a_postgres

CLIENTS = 128
APPENDS = 6_000
ALONE = 400
LIBRARY_THREADS = 32
"""Threads for the library's recorder, which blocks; more made it slower."""

READ_FACTS = 50_000
PAGE_FACTS = 1_000
DATA = json.dumps({f"field_{number}": f"value {number}" * 2 for number in range(10)}).encode()
SQLITE = "SQLite WAL, synchronous=FULL"
POSTGRES = "PostgreSQL, fsync and synchronous_commit on"

KEY = SigningKey("localhost/bench", Algorithm.ED25519, bytes(32))
numbers = count()


def run(appends: int = APPENDS, alone: int = ALONE, read: int = READ_FACTS) -> list[Row]:
    """Measure with so many appends by many clients, by one, and so many facts read."""
    rows = list[Row]()
    with TemporaryDirectory(prefix="thuan-bench-") as name:
        folder = Path(name)
        address = _sqlite(folder, "many")
        rows += _sqlite_rows(folder, address, appends, alone)
        rows += _read_rows(folder, read)
        with _postgres(folder) as url:
            rows += _postgres_rows(url, appends, alone)
    return rows


def _sqlite_rows(folder: Path, address: str, appends: int, alone: int) -> list[Row]:
    together = rate_together(stores.open_recorder(address, system_clock), appends)
    single = stores.open_recorder(_sqlite(folder, "single"), system_clock)
    one_by_one = _rate_in_threads(single, appends // 4, threads=1)
    unproved = rate_together(Unproved(folder / "many.db", system_clock), appends)
    p50 = _p50_alone(stores.open_recorder(address, system_clock), alone)
    plain = _p50_plain_sqlite(folder / "plain.db", alone)
    cost = 1 - together / unproved
    return [
        Row(
            measure=f"appends/s, {CLIENTS} clients",
            ours=together,
            against=one_by_one,
            other="the same store, a commit each",
            aim="ratio >= 5",
            met=together >= 5 * one_by_one,
            durability=SQLITE,
        ),
        Row(
            measure=f"appends/s with proof, {CLIENTS} clients",
            ours=together,
            against=unproved,
            other="without leaf and root",
            aim="cost <= 10 %",
            met=cost <= 0.10,
            durability=SQLITE,
        ),
        _alone_row(p50, plain, SQLITE),
    ]


def _postgres_rows(url: str, appends: int, alone: int) -> list[Row]:
    address = f"{url}{'&' if '?' in url else '?'}schema=thuan_bench_{os.getpid()}"
    stores.create_schema(address)
    together = rate_together(stores.open_recorder(address, system_clock), appends)
    library = _rate_in_threads(_library_recorder(url), appends // 4, threads=LIBRARY_THREADS)
    p50 = _p50_alone(stores.open_recorder(address, system_clock), alone)
    return [
        Row(
            measure=f"appends/s, {CLIENTS} clients",
            ours=together,
            against=library,
            other="the library's own recorder",
            aim="ratio >= 10",
            met=together >= 10 * library,
            durability=POSTGRES,
        ),
        _alone_row(p50, _p50_plain_postgres(url, alone), POSTGRES),
    ]


def _alone_row(ours: float, plain: float, durability: str) -> Row:
    return Row(
        measure="append p50 ms, one client alone",
        ours=ours,
        against=plain,
        other="plain INSERT and COMMIT of the bytes",
        aim="ratio <= 1.5",
        met=ours <= 1.5 * plain,
        durability=durability,
    )


def _read_rows(folder: Path, facts: int) -> list[Row]:
    """Seal so many facts, then check them all, beside only decoding their JSON."""
    create_checkpoints(folder / "checkpoints.db")
    with closing(stores.open_recorder(_sqlite(folder, "read"), system_clock)) as recorder:
        for _ in range(facts // PAGE_FACTS):
            recorder.append_batch([_append() for _ in range(PAGE_FACTS)])
        public = PublicFolder(folder / "public")
        checkpoints = Checkpoints(folder / "checkpoints.db")
        integrator = Integrator(recorder, public, checkpoints, [KEY], system_clock)
        while integrator.step() < recorder.head():
            pass
        started = time.perf_counter()
        pages = facts_of(lambda after: recorder.page(after=after, limit=PAGE_FACTS).facts)
        decoded = ((fact, json.loads(fact.data))[0] for fact in pages)
        verify(public.fetch, KEY.name, [KEY.verifier], facts=decoded)
        ours = facts / (time.perf_counter() - started)
    started = time.perf_counter()
    for _ in range(facts):
        json.loads(DATA)
    bare = facts / (time.perf_counter() - started)
    return [
        Row(
            measure="verified read, facts/s on one core",
            ours=ours,
            against=bare,
            other="json.loads alone",
            aim="ratio >= 0.5",
            met=ours >= 0.5 * bare,
            durability=SQLITE,
        )
    ]


# -- ways to append -----------------------------------------------------------------------------


def _append() -> Append:
    """Return one fact under the condition that nothing has its tag."""
    tag = f"id:{next(numbers)}-{os.getpid()}"
    event = DCBEvent(type="bench.happened.1", data=DATA, tags=[tag, "office:lao-bao"])
    return Append([event], DCBAppendCondition(DCBQuery(items=[DCBQueryItem(tags=[tag])])))


def rate_together(recorder: Recorder, appends: int) -> float:
    """Return appends a second by clients that wait at the same time; closes the store."""

    async def clients() -> float:
        writer = GroupCommit(recorder)

        async def client(share: int) -> None:
            for _ in range(share):
                outcome = await writer.append(_append())
                assert isinstance(outcome, Appended)

        started = time.perf_counter()
        await asyncio.gather(*(client(appends // CLIENTS) for _ in range(CLIENTS)))
        seconds = time.perf_counter() - started
        writer.close()
        return appends // CLIENTS * CLIENTS / seconds

    with closing(recorder):
        return asyncio.run(clients())


def _rate_in_threads(recorder: DCBRecorder, appends: int, *, threads: int) -> float:
    def client() -> None:
        for _ in range(appends // threads):
            append = _append()
            recorder.append(append.events, append.condition)

    started = time.perf_counter()
    working = [threading.Thread(target=client) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    return appends // threads * threads / (time.perf_counter() - started)


def _p50_alone(recorder: Recorder, appends: int) -> float:
    with closing(recorder):
        return _p50(lambda: recorder.append_batch([_append()]), appends)


def _p50_plain_sqlite(file: Path, appends: int) -> float:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE facts (position INTEGER PRIMARY KEY, data BLOB)")

        def append() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO facts (data) VALUES (?)", [DATA])
            connection.execute("COMMIT")

        return _p50(append, appends)


def _p50_plain_postgres(url: str, appends: int) -> float:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS thuan_bench_plain (position bigserial, data bytea)"
        )
        connection.commit()

        def append() -> None:
            connection.execute("INSERT INTO thuan_bench_plain (data) VALUES (%s)", [DATA])
            connection.commit()

        return _p50(append, appends)


def _p50(append: Callable[[], object], appends: int) -> float:
    def timed() -> float:
        started = time.perf_counter()
        append()
        return 1_000 * (time.perf_counter() - started)

    for _ in range(20):
        append()
    return statistics.median(timed() for _ in range(appends))


class Unproved(SQLiteRecorder):
    """Our store without leaf hashes and roots, to see what the proof costs."""

    @override
    def _place(
        self, batch: Sequence[Append], head: Head, failing: Sequence[bool]
    ) -> tuple[list[Appended | IntegrityError], list[StoredFact], Head]:
        recorded_at, size = datetime.now(UTC), head.position
        outcomes, entering = list[Appended | IntegrityError](), Entering()
        for append, fails in zip(batch, failing, strict=True):
            assert append.condition
            assert not fails
            assert not entering.fail(append.condition)
            (one,) = append.events
            size += 1
            fact = StoredFact(size, recorded_at, one.type, one.tags, one.data, bytes(32))
            entering.add([fact])
            outcomes.append(Appended(size, recorded_at))
        tree = Frontier(size, (bytes(32),) * size.bit_count())
        return outcomes, entering.facts, Head(tree, recorded_at)


# -- stores -------------------------------------------------------------------------------------


def _sqlite(folder: Path, name: str) -> str:
    address = f"sqlite:///{folder / name}.db"
    stores.create_schema(address)
    return address


def _library_recorder(url: str) -> DCBRecorder:
    given = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        dbname=str(given.get("dbname", "postgres")),
        host=str(given.get("host", "")),
        port=str(given.get("port", "5432")),
        user=str(given.get("user", "")),
        password=str(given.get("password", "")),
        pool_size=LIBRARY_THREADS,
        max_waiting=LIBRARY_THREADS * 4,
    )
    recorder = PostgresDCBRecorderTT(datastore, events_table_name=f"bench_{os.getpid()}")
    recorder.create_table()
    return recorder


def _postgres(folder: Path) -> AbstractContextManager[str]:
    """Give the address of a PostgreSQL."""
    if url := os.environ.get("DATABASE_URL"):
        return nullcontext(url)
    (folder / "postgres").mkdir()
    return a_postgres(folder / "postgres")
