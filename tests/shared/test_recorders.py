"""Every store keeps the same promise: the library's cases unchanged, and the contract of ours."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.persistence import IntegrityError, ProgrammingError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from shared.clock import system_clock
from shared.ledger import sqlite, stores
from shared.ledger.merkle import Frontier
from shared.ledger.postgres import Connection, PostgresRecorder
from shared.ledger.recorder import (
    Append,
    Appended,
    Commit,
    Head,
    Look,
    Page,
    Part,
    PersonalEvent,
    Recorder,
    SchemaMissing,
)
from tests.support.postgres import in_a_schema

Now = Callable[[], datetime]
Open = Callable[[Now], Recorder]

TAGS, KINDS = ["a:1", "a:2", "b:1"], ["k1", "k2"]


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty ledger, on each store in turn."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    stores.create_schema(address)
    return address


@pytest.fixture
def recorder(address: str) -> Iterator[Recorder]:
    """Give a recorder on an empty ledger."""
    with closing(stores.open_recorder(address, system_clock)) as opened:
        yield opened


@pytest.fixture
def kept(address: str) -> Iterator[str]:
    """Give the address of a ledger whose facts are all as they were appended, in the end."""
    yield address
    with closing(stores.open_recorder(address, system_clock)) as opened:
        everything = opened.page().facts
        assert [fact.leaf for fact in everything] == [fact.leaf_now() for fact in everything]
        assert opened.end().tree == Frontier().extended(fact.leaf for fact in everything)


class Cases(DCBRecorderTestCase):
    """The library's cases, called from here."""

    def runTest(self) -> None:  # noqa: N802 - unittest's name
        """Do nothing by itself."""


def event(kind: str = "k1", tags: Sequence[str] = ("a:1",), data: bytes = b"{}") -> DCBEvent:
    """Return an event."""
    return DCBEvent(type=kind, data=data, tags=list(tags))


def unless(*items: DCBQueryItem, after: int = 0) -> DCBAppendCondition:
    """Return the condition that nothing behind `after` matches."""
    return DCBAppendCondition(DCBQuery(items=list(items)), after=after)


def test_library_cases_on_memory() -> None:
    """The library's own recorder passes the cases that we hold ours to."""
    Cases()._test_append_read(InMemoryDCBRecorder())


def test_library_cases(recorder: Recorder) -> None:
    """Our stores pass the library's cases unchanged: reading, conditions, subscriptions."""
    Cases()._test_append_read(recorder)
    Cases()._test_append_subscribe(recorder, recorder.head())


def test_positions_stay_dense_after_conflicts(recorder: Recorder) -> None:
    """A conflict leaves no hole: not in a batch, not after one."""
    refused = Append([event()], unless(DCBQueryItem(tags=["a:1"])))
    outcomes = recorder.append_batch([Append([event()]), refused, Append([event(), event()])])
    assert isinstance(outcomes[1], IntegrityError)
    assert [one.position for one in outcomes if isinstance(one, Appended)] == [1, 3]
    with pytest.raises(IntegrityError):
        recorder.append([event()], unless(DCBQueryItem(types=["k1"])))
    assert recorder.append([event()]) == 4
    assert [fact.position for fact in recorder.page().facts] == [1, 2, 3, 4]


def test_a_later_append_of_a_batch_sees_the_earlier(recorder: Recorder) -> None:
    """Conditions hold against what the same batch wrote before, as if it were committed."""
    condition = unless(DCBQueryItem(tags=["a:1"]))
    outcomes = recorder.append_batch([Append([event()], condition), Append([event()], condition)])
    assert isinstance(outcomes[0], Appended)
    assert isinstance(outcomes[1], IntegrityError)


def test_an_append_needs_an_event(recorder: Recorder) -> None:
    """Nothing cannot be appended; the library has a name for it."""
    with pytest.raises(ProgrammingError):
        recorder.append([])


def test_time_never_decreases(address: str) -> None:
    """A clock that goes backwards does not take the log with it."""
    times = [datetime(2023, 8, 9, hour, tzinfo=UTC) for hour in (5, 3, 4, 6)]
    remaining = iter(times)
    with closing(stores.open_recorder(address, lambda: next(remaining))) as recorder:
        for _ in times:
            recorder.append([event()])
        recorded = [fact.recorded_at for fact in recorder.page().facts]
    assert recorded == [times[0], times[0], times[0], times[3]]


def test_what_is_read_says_what_time_the_log_has(address: str) -> None:
    """That of its last fact, whichever facts are read; and none while there is none."""
    times = [datetime(2023, 8, 9, hour, microsecond=1, tzinfo=UTC) for hour in (5, 3, 6)]
    remaining, expected = iter(times), [times[0], times[0], times[2]]
    query = DCBQuery(items=[DCBQueryItem(tags=["b:1"])])
    with closing(stores.open_recorder(address, lambda: next(remaining))) as recorder:
        assert recorder.page().log_at is None
        for log_at in expected:
            recorder.append([event()])
            assert recorder.page(query) == Page([], recorder.head(), log_at)
        assert recorder.page(query, as_of=1) == Page([], 1, expected[-1])


def test_what_is_looked_for_together_is_found_as_if_alone(recorder: Recorder) -> None:
    """Each page, whatever the others ask for; none, where nothing is asked."""
    for number in range(6):
        recorder.append([event(f"k{number % 2}", tags=(f"a:{number % 3}",))])
    queries = [DCBQuery(), *(DCBQuery(items=[DCBQueryItem(tags=[f"a:{n}"])]) for n in range(4))]
    looks = [
        Look(query, after, 2, as_of) for query in queries for after in (0, 3) for as_of in (None, 4)
    ]
    alone = [recorder.page(one.query, after=one.after, limit=2, as_of=one.as_of) for one in looks]
    assert recorder.pages(looks) == alone
    assert recorder.pages(looks[:1]) == alone[:1]
    assert recorder.pages([]) == []


def test_bytes_tags_and_time_come_back_as_they_went_in(recorder: Recorder) -> None:
    """What is stored is what was given, to the byte and in its order."""
    sent = event("kind.é.1", ["b:đ", "a:1", "b:đ"], '{"x":"Đồng ý"}'.encode())
    (outcome,) = recorder.append_batch([Append([sent])])
    assert isinstance(outcome, Appended)
    (fact,) = recorder.page().facts
    assert (fact.kind, fact.tags, fact.data) == (sent.type, sent.tags, sent.data)
    assert fact.recorded_at == outcome.recorded_at


def test_reopening_finds_everything(address: str) -> None:
    """A closed ledger has what was acknowledged; making its schema again changes nothing."""
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        recorder.append([event(), event("k2")])
    stores.create_schema(address)
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        assert [fact.kind for fact in recorder.page().facts] == ["k1", "k2"]


def test_two_writers_stay_dense(address: str) -> None:
    """Two recorders that append at the same time share one gapless order."""

    def write() -> None:
        with closing(stores.open_recorder(address, system_clock)) as recorder:
            for _ in range(25):
                recorder.append([event(), event()])

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        facts = recorder.page().facts
    assert [fact.position for fact in facts] == list(range(1, 151))
    assert [fact.recorded_at for fact in facts] == sorted(fact.recorded_at for fact in facts)


def test_two_writers_one_condition_one_winner(address: str) -> None:
    """Of many that append on the same condition at once, exactly one does."""
    won = list[int]()
    start = threading.Barrier(4)

    def write() -> None:
        with closing(stores.open_recorder(address, system_clock)) as recorder:
            start.wait()
            with suppress(IntegrityError):
                won.append(recorder.append([event()], unless(DCBQueryItem(tags=["a:1"]))))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]


def test_a_fact_that_came_meanwhile_fails_the_append(recorder: Recorder) -> None:
    """What appeared behind the head that was read makes the append fail; what was read does not."""
    boundary = DCBQuery(items=[DCBQueryItem(tags=["a:1"])])
    recorder.append([event()])
    head = recorder.page(boundary).head
    recorder.append([event(tags=["a:2"])])
    recorder.append([event(data=b"mine")], DCBAppendCondition(boundary, after=head))
    with pytest.raises(IntegrityError):
        recorder.append([event()], DCBAppendCondition(boundary, after=head))


def test_facts_cannot_be_changed_or_removed_in_sqlite(tmp_path: Path) -> None:
    """The file itself refuses UPDATE, DELETE and a position out of turn, whoever asks."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    stores.create_schema(address)
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        recorder.append([event()])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as raw:
        for statement in (
            "UPDATE facts SET data = x'00'",
            "DELETE FROM facts",
            "INSERT INTO facts VALUES (3, 0, 'k', '[]', x'00', x'00', x'')",
            "INSERT OR REPLACE INTO facts VALUES (1, 0, 'k', '[]', x'00', x'00', x'')",
            "UPDATE fact_tags SET tag = 'x'",
            "DELETE FROM fact_tags",
            "UPDATE commits SET root = x'00'",
            "DELETE FROM commits",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


def test_facts_cannot_be_changed_or_removed_in_postgres(postgres_url: str) -> None:
    """The server itself refuses UPDATE, DELETE and TRUNCATE, even of an empty table."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)
    schema = address.rpartition("schema=")[2]
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        recorder.append([event()])
    for table in ("facts", "fact_tags", "commits"):
        for statement in ("UPDATE {} SET position = 9", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
            with psycopg.connect(postgres_url) as raw, pytest.raises(psycopg.errors.RaiseException):
                raw.execute(statement.format(f"{schema}.{table}").encode())


def test_the_serving_role_may_read_and_add_and_nothing_else(postgres_url: str) -> None:
    """Who serves is not who owns: no UPDATE, DELETE, TRUNCATE, and no way around the triggers."""
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    role = f"{schema}_serving"
    with psycopg.connect(postgres_url) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN".encode())
    stores.create_schema(f"{address}&grant={role}")
    given = conninfo_to_dict(postgres_url)
    parts = {"user": role, "host": given.get("host", ""), "port": given.get("port", "")}
    serving = f"postgresql:///{given['dbname']}?{urlencode(parts)}"
    with closing(stores.open_recorder(f"{serving}&schema={schema}", system_clock)) as recorder:
        recorder.append([event()])
        assert [fact.position for fact in recorder.page().facts] == [1]
    for statement in (
        "UPDATE {0}.facts SET position = 2",
        "DELETE FROM {0}.commits",
        "TRUNCATE {0}.facts CASCADE",
        "ALTER TABLE {0}.facts DISABLE TRIGGER ALL",
        "DROP TABLE {0}.fact_tags",
        "UPDATE {0}.head SET version = 1",
        "DELETE FROM {0}.head",
        "SET session_replication_role = replica",
        "CREATE TABLE {0}.more ()",
    ):
        with (
            psycopg.connect(serving) as raw,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            raw.execute(statement.format(schema).encode())


def test_one_kind_of_a_tag_is_found_among_many_facts(address: str, recorder: Recorder) -> None:
    """A bank's entry is as near as that of a bank that has nothing else; also in an old store."""
    entries = [
        DCBEvent(type="entered", data=b"{}", tags=[f"bank:{one}"]) for one in ("busy", "new")
    ]
    recorder.append(entries)
    busy = [DCBEvent(type="used", data=b"{}", tags=["bank:busy"])] * 500
    recorder.append_batch([Append(busy, None)] * 40)
    _without_index(address)
    scanned = _seconds(recorder, "busy")
    stores.create_schema(address)
    assert _seconds(recorder, "busy") < scanned / 3
    assert _seconds(recorder, "busy") < 5 * _seconds(recorder, "new")


def _without_index(address: str) -> None:
    """Make a store what it was before it had the index."""
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as raw:
            raw.execute("DROP INDEX fact_tags_by_kind")
    else:
        url, _, schema = address.rpartition("schema=")
        with psycopg.connect(url.rstrip("?&")) as raw:
            raw.execute(f"DROP INDEX {schema}.fact_tags_by_kind".encode())


def _seconds(recorder: Recorder, bank: str) -> float:
    """Return the shortest time in which a bank's entry is found."""
    query = DCBQuery(items=[DCBQueryItem(types=["entered"], tags=[f"bank:{bank}"])])
    times = []
    for _ in range(9):
        started = time.perf_counter()
        assert len(recorder.page(query).facts) == 1
        times.append(time.perf_counter() - started)
    return min(times)


def test_a_thousand_tags_are_asked_for_at_once(recorder: Recorder) -> None:
    """A query of a thousand items finds those that are there, and an append may rest on it."""
    events = [event(kind, [f"n:{at}", "all:1"]) for at in range(40) for kind in KINDS]
    recorder.append_batch([Append(events)])
    items = [DCBQueryItem(types=["k1"], tags=[f"n:{at}"]) for at in range(30, 1500)]
    query = DCBQuery(items=[*items, DCBQueryItem(types=["k2"], tags=["all:1", "n:7"])])
    found = recorder.page(query).facts
    assert [(one.kind, one.tags[0]) for one in found] == [
        ("k2", "n:7"),
        *(("k1", f"n:{at}") for at in range(30, 40)),
    ]
    condition = DCBAppendCondition(fail_if_events_match=query, after=recorder.head())
    one, other = event("k1", ["n:1499"]), event("k2", ["n:1499"])
    recorder.append_batch([Append([other])])
    recorder.append([one], condition)
    with pytest.raises(IntegrityError):
        recorder.append([one], condition)


def test_sqlite_is_durable(tmp_path: Path) -> None:
    """Every commit is on disk when it returns: write-ahead log, synchronous=FULL."""
    sqlite.create_schema(tmp_path / "ledger.db")
    with closing(sqlite.SQLiteRecorder(tmp_path / "ledger.db", system_clock)) as recorder:
        assert recorder._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert recorder._writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Opening never makes a schema: a wrong path is an error, not an empty log."""
    with pytest.raises(SchemaMissing):
        stores.open_recorder(f"sqlite:///{tmp_path / 'none.db'}", system_clock)
    with closing(sqlite3.connect(tmp_path / "other.db")) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaMissing):
        stores.open_recorder(f"sqlite:///{tmp_path / 'other.db'}", system_clock)


def test_a_schema_of_another_version_is_not_used(postgres_url: str) -> None:
    """On the server as in a file: what is missing, or older, is an error and stays as it is."""
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        with pytest.raises(SchemaMissing, match="no ledger"):
            recorder.append([event()])
        with psycopg.connect(postgres_url) as raw:
            raw.execute(f"CREATE SCHEMA {schema}".encode())
            raw.execute(f"CREATE TABLE {schema}.head (one boolean, version integer)".encode())
            raw.execute(f"INSERT INTO {schema}.head VALUES (true, 1)".encode())
        with pytest.raises(SchemaMissing, match="holds version 1"):
            recorder.head()


def test_an_unknown_address_is_refused() -> None:
    """Only the stores that we have are opened."""
    with pytest.raises(stores.UnknownStore):
        stores.open_recorder("mysql://somewhere/log", system_clock)


def test_a_lost_connection_fails_one_call_and_is_opened_anew(postgres_url: str) -> None:
    """The server ends our connections: that call fails, the next works, nothing is half written."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        recorder.append([event()])
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        with pytest.raises(psycopg.Error):
            recorder.append([event()])
        assert recorder.append([event()]) == 2


@pytest.mark.parametrize("committed", [False, True])
def test_a_lost_answer_to_a_commit_is_looked_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """The server dies on us at the commit, before or after it: what is told is what is there."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)
    write = PostgresRecorder._write

    def write_and_lose(
        self: PostgresRecorder, connection: Connection, batch: Sequence[Append]
    ) -> tuple[list[Appended | IntegrityError], Head]:
        written = write(self, connection, batch)
        if committed:
            connection.execute("COMMIT")
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        return written

    with closing(stores.open_recorder(address, system_clock)) as recorder:
        recorder.append([event()])
        with monkeypatch.context() as patch:
            patch.setattr(PostgresRecorder, "_write", write_and_lose)
            if committed:
                assert recorder.append([event(data=b"mine")]) == 2
            else:
                with pytest.raises(psycopg.OperationalError):
                    recorder.append([event(data=b"mine")])
        assert recorder.append([event()]) == 2 + committed
        data = [fact.data for fact in recorder.page().facts]
    assert data.count(b"mine") == committed


def alone(address: str, stack: ExitStack) -> PostgresRecorder:
    """Return a recorder that learned that nobody else appends: it guesses where the log ends."""
    recorder = stack.enter_context(closing(stores.open_recorder(address, system_clock)))
    assert isinstance(recorder, PostgresRecorder)
    for _ in range(2):
        recorder.append([event()])
    return recorder


def holds_together(recorder: Recorder, positions: int) -> None:
    """Hold that positions are dense, and the last root is that of the leaves."""
    facts = recorder.page().facts
    assert [fact.position for fact in facts] == list(range(1, positions + 1))
    tree = Frontier().extended(fact.leaf_now() for fact in facts)
    assert recorder.end().tree == tree
    assert recorder.commit(positions) == Commit(positions, tree.root())


def test_who_is_alone_appends_in_one_statement(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its facts, tags and conditions come to the same as when it asks first."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)
    with ExitStack() as stack:
        recorder = alone(address, stack)
        with monkeypatch.context() as patch:
            patch.delattr(PostgresRecorder, "_in_turn")
            recorder.append([event("k2", ["b:1", "a:2", "b:1"]), event(tags=[])])
        assert [fact.tags for fact in recorder.page(after=2).facts] == [["b:1", "a:2", "b:1"], []]
        with pytest.raises(IntegrityError):
            recorder.append([event()], unless(DCBQueryItem(types=["k2"], tags=["b:1"])))
        recorder.append([event()], unless(DCBQueryItem(types=["k1"], tags=["b:1"])))
        holds_together(recorder, 5)


def test_personal_parts_are_kept_from_the_first_append_on(recorder: Recorder) -> None:
    """Every append keeps its parts, whichever way it is written."""
    part = Part("key-1", b"sealed")
    for position in range(1, 5):
        recorder.append([PersonalEvent("k1", b"{}", ["a:1"], (part,))])
        assert recorder.parts([position]) == {(position, 0): part}
    holds_together(recorder, 4)


def test_a_wrong_guess_of_the_end_writes_nothing(postgres_url: str) -> None:
    """Others appended meanwhile: what they wrote counts, and positions and roots stay right."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)
    with ExitStack() as stack:
        recorder = alone(address, stack)
        other = stack.enter_context(closing(stores.open_recorder(address, system_clock)))
        other.append([event(tags=["b:1"])])
        with pytest.raises(IntegrityError):
            recorder.append([event()], unless(DCBQueryItem(tags=["b:1"])))
        for _ in range(3):
            recorder.append([event()])
            other.append([event()])
        holds_together(recorder, 9)


def test_another_log_of_the_same_length_is_noticed(postgres_url: str) -> None:
    """A server that lost the last commit, and was given another in its place, has another tree."""
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    stores.create_schema(address)
    with ExitStack() as stack:
        recorder = alone(address, stack)
        with psycopg.connect(postgres_url) as owner:
            owner.execute(f"SET search_path TO {schema}".encode())
            for table in ("facts", "fact_tags", "commits"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
                owner.execute(f"DELETE FROM {table} WHERE position = 2".encode())
                owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL".encode())
        other = stack.enter_context(closing(stores.open_recorder(address, system_clock)))
        assert other.append([event(data=b"another")]) == 2
        assert recorder.append([event()]) == 3
        holds_together(recorder, 3)


@pytest.mark.parametrize("committed", [False, True])
def test_a_lost_answer_to_the_one_statement_is_looked_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """The server dies on us before or after its commit: what is told is what is there."""
    address = in_a_schema(postgres_url)
    stores.create_schema(address)

    class Losing:
        def __init__(self, connection: Connection) -> None:
            self.connection = connection

        def execute(self, *statement: Any) -> object:
            if committed:
                self.connection.execute(*statement)
            with psycopg.connect(postgres_url, autocommit=True) as other:
                pid = self.connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return self.connection.execute("SELECT 1")

    def at_once(self: PostgresRecorder, connection: Any, batch: Sequence[Append]) -> Any:
        losing: Any = Losing(connection)
        return at_once_of_ours(self, losing, batch)

    at_once_of_ours = PostgresRecorder._at_once
    with ExitStack() as stack:
        recorder = alone(address, stack)
        with monkeypatch.context() as patch:
            patch.setattr(PostgresRecorder, "_at_once", at_once)
            if committed:
                assert recorder.append([event(data=b"mine")]) == 3
            else:
                with pytest.raises(psycopg.OperationalError):
                    recorder.append([event(data=b"mine")])
        recorder.append([event()])
        holds_together(recorder, 3 + committed)
        data = [fact.data for fact in recorder.page().facts]
    assert data.count(b"mine") == committed


def test_a_tag_belongs_to_a_fact(postgres_url: str) -> None:
    """The server refuses one for a position that is not there."""
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    stores.create_schema(address)
    stray = f"INSERT INTO {schema}.fact_tags VALUES ('a:1', %s, 'k1')".encode()
    with ExitStack() as stack:
        alone(address, stack)
        owner = stack.enter_context(psycopg.connect(postgres_url, autocommit=True))
        for position in (0, 3):
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                owner.execute(stray, [position])


def test_every_commit_keeps_its_root(recorder: Recorder) -> None:
    """A root lies at the end of each commit, and nowhere else; the last one is the log's end."""
    recorder.append_batch([Append([event()]), Append([event(), event()])])
    recorder.append([event()])
    leaves = [fact.leaf_now() for fact in recorder.page().facts]
    three, four = (Commit(at, Frontier().extended(leaves[:at]).root()) for at in (3, 4))
    found = [recorder.commit(position) for position in range(6)]
    assert found == [None, None, None, three, four, four]
    assert recorder.end().tree == Frontier().extended(leaves)


def test_positions_as_of_a_time(address: str) -> None:
    """An instant has the position that was last when it passed."""
    times = [datetime(2023, 8, 9, hour, tzinfo=UTC) for hour in (5, 6, 6, 8)]
    remaining = iter(times)
    with closing(stores.open_recorder(address, lambda: next(remaining))) as recorder:
        for _ in times:
            recorder.append([event()])
        asked = [datetime(2023, 8, 9, hour, tzinfo=UTC) for hour in (4, 5, 6, 7, 8, 9)]
        assert [recorder.position_at(instant) for instant in asked] == [0, 1, 3, 3, 4, 4]


@given(count=st.integers(0, 12), after=st.integers(0, 13), tagged=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_read_fetches_page_by_page_what_was_there(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, count: int, after: int, *, tagged: bool
) -> None:
    """Whatever its length, and however many come meanwhile: all up to the head, and no more."""
    monkeypatch.setattr("shared.ledger.recorder.STREAM_FACTS_MAX", 3)
    before = recorder.head()
    if count:
        recorder.append([event(tags=["a:1"]) for _ in range(count)])
    query = DCBQuery(items=[DCBQueryItem(types=[], tags=["a:1"])]) if tagged else None
    reading = recorder.read(query, after=before + after)
    recorder.append([event(tags=["a:1"])])
    assert reading.head == (before + count or None)
    positions = [one.position - before for one in reading]
    assert positions == list(range(after + 1, count + 1))
    recorder.append([event(tags=["b:1"])])


def test_a_read_holds_one_page_at_a_time(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is asked for when the one before it is read, and not earlier."""
    monkeypatch.setattr("shared.ledger.recorder.STREAM_FACTS_MAX", 3)
    recorder.append([event() for _ in range(7)])
    asked, page = list[int](), recorder.page

    def counted(*args: Any, **more: Any) -> Page:
        asked.append(more["after"])
        return page(*args, **more)

    monkeypatch.setattr(recorder, "page", counted)
    reading = recorder.read()
    assert asked == [0]
    assert [next(reading).position for _ in range(4)] == [1, 2, 3, 4]
    assert asked == [0, 3]
    assert [one.position for one in reading] == [5, 6, 7]
    assert asked == [0, 3, 6]


events = st.builds(
    event, st.sampled_from(KINDS), st.lists(st.sampled_from(TAGS), max_size=3, unique=True)
)
items = st.builds(
    DCBQueryItem,
    types=st.lists(st.sampled_from(KINDS), max_size=2, unique=True),
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
)
appends = st.builds(
    Append,
    st.lists(events, min_size=1, max_size=3),
    st.none() | st.builds(unless, items, items, after=st.integers(0, 6)),
)


def matches(query: DCBQuery, one: DCBEvent) -> bool:
    """Tell what the library says a match is, in one line of Python."""
    return not query.items or any(
        (not item.types or one.type in item.types) and set(item.tags) <= set(one.tags)
        for item in query.items
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=timedelta(seconds=5)
)
@given(
    history=st.lists(st.lists(appends, min_size=1, max_size=3), max_size=6),
    query=st.lists(items, min_size=1, max_size=3),
    past=st.integers(0, 20),
)
def test_any_history_is_what_a_list_would_hold(
    kept: str, history: list[list[Append]], query: list[DCBQueryItem], past: int
) -> None:
    """Batches with conditions leave just what a plain list with the same conditions would have."""
    with closing(stores.open_recorder(kept, system_clock)) as recorder:
        before, tree = recorder.head(), recorder.end().tree
        assert before or tree == Frontier()
        model = list[DCBEvent]()
        for batch in history:
            outcomes = recorder.append_batch([_behind(append, before) for append in batch])
            for append, outcome in zip(batch, outcomes, strict=True):
                condition = append.condition
                fails = condition is not None and any(
                    matches(condition.fail_if_events_match, one)
                    for one in model[condition.after or 0 :]
                )
                assert isinstance(outcome, IntegrityError) == fails
                model += [] if fails else append.events
        found = recorder.page(DCBQuery(items=query), after=before)
        wanted = [
            (number, one.type, one.tags)
            for number, one in enumerate(model, start=before + 1)
            if matches(DCBQuery(items=query), one)
        ]
        assert [(fact.position, fact.kind, fact.tags) for fact in found.facts] == wanted
        assert found.head == before + len(model)
        then = recorder.page(DCBQuery(items=query), after=before, as_of=before + past)
        assert then.facts == [fact for fact in found.facts if fact.position <= before + past]
        assert then.head == min(before + past, found.head)
        for limit in (0, 1, 3):
            some = recorder.page(
                DCBQuery(items=query), after=before, limit=limit, as_of=before + past
            )
            assert some.facts == then.facts[:limit]
        new = recorder.page(after=before).facts
        assert [fact.leaf for fact in new] == [fact.leaf_now() for fact in new]
        assert recorder.end().tree == tree.extended(fact.leaf for fact in new)


def _behind(append: Append, before: int) -> Append:
    """Shift a condition behind the facts of earlier examples on the same ledger."""
    if append.condition is None:
        return append
    condition = append.condition
    after = before + (condition.after or 0)
    return Append(append.events, DCBAppendCondition(condition.fail_if_events_match, after=after))


# -- what others got wrong ----------------------------------------------------------------------


def test_a_follower_never_passes_a_position_that_can_still_appear(postgres_url: str) -> None:
    """One writer's row stays uncommitted while another writes: nobody sees the later one first.

    The library's PostgreSQL functions (eventsourcing 9.5.6, `POSTGRES_ENABLE_DB_FUNCTIONS`) and
    Marten (#4964) let a follower pass the earlier for ever.
    """
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    stores.create_schema(address)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(
            f"""CREATE FUNCTION {schema}.dawdle() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF new.kind = 'slow' THEN PERFORM pg_sleep(1); END IF; RETURN new; END $$;
            CREATE TRIGGER dawdles AFTER INSERT ON {schema}.facts
            FOR EACH ROW EXECUTE FUNCTION {schema}.dawdle()""".encode()
        )
    with (
        closing(stores.open_recorder(address, system_clock)) as slow,
        closing(stores.open_recorder(address, system_clock)) as fast,
        closing(stores.open_recorder(address, system_clock)) as reading,
    ):
        seen = list[str]()
        follower = reading.subscribe()
        threads = [
            threading.Thread(target=lambda: slow.append([DCBEvent(type="slow", data=b"1")])),
            threading.Thread(target=lambda: fast.append([DCBEvent(type="fast", data=b"2")])),
            threading.Thread(target=lambda: seen.extend(next(follower).event.type for _ in "12")),
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.2)
        assert fast.head() == 0
        for thread in threads:
            thread.join(10)
        assert seen == ["slow", "fast"]


def test_two_logs_in_one_database_keep_to_themselves(postgres_url: str) -> None:
    """What one log is given lies in that log, though both have tables of the same names.

    The library's PostgreSQL functions (eventsourcing 9.5.6) put it into the other's table.
    """
    one, other = in_a_schema(postgres_url), in_a_schema(postgres_url)
    for address in (one, other):
        stores.create_schema(address)
    with (
        closing(stores.open_recorder(one, system_clock)) as first,
        closing(stores.open_recorder(other, system_clock)) as second,
    ):
        first.append([event()])
        first.append([event()])
        second.append([event()])
        assert (first.head(), second.head()) == (2, 1)
        assert len(first.page().facts) == 2
        assert len(second.page().facts) == 1
