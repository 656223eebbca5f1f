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
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from datetime import datetime
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
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
from shared.ledger.recorder import (
    Append,
    Appended,
    Entering,
    Head,
    Part,
    PersonalEvent,
    Recorder,
    StoredFact,
)
from shared.ledger.sqlite import SQLiteRecorder
from shared.ledger.tiles import PublicFolder
from shared.ledger.verify import facts_of, verify
from tests.support.postgres import a_postgres

CLIENTS = 128
APPENDS = 27_000
TURNS = 21
"""Each side is measured so many times, by turns: when the machine slows down, it does for both."""

ALONE = 800
WARM_APPENDS = 20
READ_TURNS = 9
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
    with TemporaryDirectory(prefix="thuan-bench-") as name:
        folder = Path(name)
        rows = [*_sqlite_rows(folder, appends, alone), *_read_rows(folder, read)]
        with a_database(folder) as url:
            rows += _postgres_rows(url, appends, alone)
    return rows


def _sqlite_rows(folder: Path, appends: int, alone: int) -> list[Row]:
    with ExitStack() as stack:

        def opened(name: str, kind: type[SQLiteRecorder] = SQLiteRecorder) -> SQLiteRecorder:
            _sqlite(folder, name)
            return stack.enter_context(closing(kind(folder / f"{name}.db", system_clock)))

        ours, single, unproved = opened("ours"), opened("single"), opened("without", Unproved)
        together, one_by_one, without = by_turns(
            lambda: rate_together(ours, appends // TURNS),
            lambda: _rate_in_threads(single, appends // TURNS // 4, threads=1),
            lambda: rate_together(unproved, appends // TURNS),
        )
        plain = stack.enter_context(closing(sqlite3.connect(folder / "plain.db")))
        p50, p50_plain = _p50s(_alone(ours), _plain_sqlite(plain), appends=alone)
    return [
        _together_row(together, one_by_one, "the same store, a commit each", 5, SQLITE),
        Row(
            measure=f"appends/s with proof, {CLIENTS} clients",
            ours=together,
            against=without,
            other="without leaf and root",
            aim="cost <= 10 %",
            met=together >= 0.9 * without,
            durability=SQLITE,
        ),
        _alone_row(p50, p50_plain, SQLITE),
    ]


def _postgres_rows(url: str, appends: int, alone: int) -> list[Row]:
    address = f"{url}{'&' if '?' in url else '?'}schema=thuan_bench_{os.getpid()}"
    stores.create_schema(address)
    library = _library_recorder(url)
    with (
        closing(stores.open_recorder(address, system_clock)) as ours,
        psycopg.connect(url) as connection,
    ):
        together, theirs = by_turns(
            lambda: rate_together(ours, appends // TURNS),
            lambda: _rate_in_threads(library, appends // TURNS // 4, threads=LIBRARY_THREADS),
        )
        p50, plain = _p50s(_alone(ours), _plain_postgres(connection), appends=alone)
    return [
        _together_row(together, theirs, "the library's own recorder", 10, POSTGRES),
        _alone_row(p50, plain, POSTGRES),
    ]


def _together_row(ours: float, against: float, other: str, times: int, durability: str) -> Row:
    return Row(
        measure=f"appends/s, {CLIENTS} clients",
        ours=ours,
        against=against,
        other=other,
        aim=f"ratio >= {times}",
        met=ours >= times * against,
        durability=durability,
    )


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

        def verified() -> object:
            pages = facts_of(lambda after: recorder.page(after=after, limit=PAGE_FACTS).facts)
            decoded = ((fact, msgspec.json.decode(fact.data))[0] for fact in pages)
            return verify(public.fetch, KEY.name, [KEY.verifier], facts=decoded)

        ours, bare = by_turns(
            lambda: facts / _seconds(verified),
            lambda: facts / _seconds(lambda: deque(map(json.loads, repeat(DATA, facts)), maxlen=0)),
            turns=READ_TURNS,
        )
    return [
        Row(
            measure="verified read, facts/s on one core",
            ours=ours,
            against=bare,
            other="json.loads alone; ours decodes with msgspec, as reading facts does",
            aim="ratio >= 0.5",
            met=ours >= 0.5 * bare,
            durability=SQLITE,
        )
    ]


# -- by turns -----------------------------------------------------------------------------------


def by_turns(*sides: Callable[[], float], turns: int = TURNS) -> list[float]:
    """Return the median of what each side measures when they take turns."""
    measured = [[side() for side in sides] for _ in range(turns)]
    return [statistics.median(one) for one in zip(*measured, strict=True)]


def _p50s(*sides: Callable[[], object], appends: int) -> list[float]:
    """Return the median milliseconds of each side's append, one of each in turn."""
    for side in sides * WARM_APPENDS:
        side()
    return by_turns(
        *((lambda side=side: 1_000 * _seconds(side)) for side in sides),
        turns=appends,
    )


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


# -- ways to append -----------------------------------------------------------------------------


def _append() -> Append:
    """Return one fact under the condition that nothing has its tag."""
    tag = f"id:{next(numbers)}-{os.getpid()}"
    event = DCBEvent(type="bench.happened.1", data=DATA, tags=[tag, "office:lao-bao"])
    return Append([event], DCBAppendCondition(DCBQuery(items=[DCBQueryItem(tags=[tag])])))


def _shares(appends: int, clients: int) -> list[list[Append]]:
    """Return each client's appends, made before the clock starts."""
    return [[_append() for _ in range(max(1, appends // clients))] for _ in range(clients)]


def rate_together(recorder: Recorder, appends: int) -> float:
    """Return appends a second by clients that wait at the same time."""
    shares = _shares(appends, CLIENTS)

    async def clients() -> float:
        writer = GroupCommit(recorder)

        async def client(share: Sequence[Append]) -> None:
            for append in share:
                outcome = await writer.append(append)
                assert isinstance(outcome, Appended)

        started = time.perf_counter()
        await asyncio.gather(*(client(share) for share in shares))
        seconds = time.perf_counter() - started
        writer.close()
        return len(shares[0]) * CLIENTS / seconds

    return asyncio.run(clients())


def _rate_in_threads(recorder: DCBRecorder, appends: int, *, threads: int) -> float:
    shares = _shares(appends, threads)

    def client(share: Sequence[Append]) -> None:
        for append in share:
            recorder.append(append.events, append.condition)

    def clients() -> None:
        working = [threading.Thread(target=client, args=[share]) for share in shares]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()

    return len(shares[0]) * threads / _seconds(clients)


def _alone(recorder: Recorder) -> Callable[[], object]:
    return lambda: recorder.append_batch([_append()])


def _plain_sqlite(connection: sqlite3.Connection) -> Callable[[], object]:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE facts (position INTEGER PRIMARY KEY, data BLOB)")

    def append() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO facts (data) VALUES (?)", [DATA])
        connection.execute("COMMIT")

    return append


def _plain_postgres(connection: psycopg.Connection[Any]) -> Callable[[], object]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS thuan_bench_plain (position bigserial, data bytea)"
    )
    connection.commit()

    def append() -> None:
        connection.execute("INSERT INTO thuan_bench_plain (data) VALUES (%s)", [DATA])
        connection.commit()

    return append


class Unproved(SQLiteRecorder):
    """Our store without leaf hashes and roots, to see what the proof costs."""

    @override
    def _place(
        self, batch: Sequence[Append], head: Head, failing: Sequence[bool]
    ) -> tuple[list[Appended | IntegrityError], list[StoredFact], Head]:
        recorded_at, position = self._time_after(head.recorded_at), head.position
        outcomes, entering = list[Appended | IntegrityError](), Entering()
        for append, fails in zip(batch, failing, strict=True):
            assert append.condition
            assert not fails
            assert not entering.fail(append.condition)
            for event in append.events:
                position += 1
                entering.add(_unproved(position, recorded_at, event))
            outcomes.append(Appended(position, recorded_at))
        tree = Frontier(position, (bytes(32),) * position.bit_count())
        return outcomes, entering.facts, Head(tree, recorded_at)


def _unproved(position: int, recorded_at: datetime, event: DCBEvent) -> StoredFact:
    """Return what `StoredFact.new` does, but for the leaf."""
    parts = event.parts if isinstance(event, PersonalEvent) else ()
    digests = tuple(map(Part.digest, parts))
    return StoredFact(
        position, recorded_at, event.type, event.tags, event.data, bytes(32), digests, parts
    )


# -- stores -------------------------------------------------------------------------------------


def _sqlite(folder: Path, name: str) -> str:
    address = f"sqlite:///{folder / name}.db"
    stores.create_schema(address)
    return address


def _library_recorder(url: str) -> DCBRecorder:
    datastore = library_datastore(url)
    recorder = PostgresDCBRecorderTT(datastore, events_table_name=f"bench_{os.getpid()}")
    recorder.create_table()
    return recorder


def library_datastore(url: str) -> PostgresDatastore:
    """Return the library's own connections to a PostgreSQL."""
    given = conninfo_to_dict(url)
    return PostgresDatastore(
        dbname=str(given.get("dbname", "postgres")),
        host=str(given.get("host", "")),
        port=str(given.get("port", "5432")),
        user=str(given.get("user", "")),
        password=str(given.get("password", "")),
        pool_size=LIBRARY_THREADS,
        max_waiting=LIBRARY_THREADS * 4,
    )


def a_database(folder: Path) -> AbstractContextManager[str]:
    """Give the address of a PostgreSQL."""
    if url := os.environ.get("DATABASE_URL"):
        return nullcontext(url)
    (folder / "postgres").mkdir()
    return a_postgres(folder / "postgres")
