"""A replay beside what one would do otherwise: an export checked, decoded and folded, in one go.

The other side is the eventsourcing library's own way to the same facts: its notification log, in
large sections, through its mapper to domain events. Nothing is checked or folded there. `FACTS` in
the environment sets how many facts each log has.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid5

from eventsourcing.application import LocalNotificationLog
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import (
    ApplicationRecorder,
    DatetimeAsISO,
    JSONTranscoder,
    Mapper,
    UUIDAsHex,
)
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from bench.history.generate import Made, generate
from bench.ledger import a_database, by_turns, library_datastore
from bench.rows import Row
from services.audit.apart import check_apart
from services.audit.checking import Trust, check_log
from services.audit.findings import LogChecked
from services.audit.folding import Folding
from services.audit.history import index, open_history
from services.audit.memory import uncollected
from services.audit.replaying import digest, seen
from shared.ledger.policy import Policy
from shared.ledger.states import Subject
from shared.ledger.verify import trusted_keys

FACTS = int(os.environ.get("FACTS", "50_000"))
SECTION_FACTS = 5_000
TOGETHER = 50
"""Events that the library is given at once: many, and its connection never comes back."""
TURNS = 5
MEGABYTES_MAX = 300
AS_OF_S_MAX = 1.0
AS_OF_TIMES = 200
NAMES = UUID(int=7)
ROOT = Path(__file__).parents[1]
EXPORT = "an export in a folder"


class FactHappened(DomainEvent):
    """A fact as a domain event of the library: its kind, its tags, and what it says."""

    kind: str
    tags: list[str]
    data: dict[str, object]


def run(facts: int = FACTS) -> list[Row]:
    """Measure over an export of so many facts in each log."""
    with TemporaryDirectory(prefix="thuan-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        made = generate(folder / "history", facts, planted_every=0)
        index(made.export, silent)
        lines = _lines(made)
        url = stack.enter_context(a_database(folder))
        on_sqlite, on_postgres = _filled(_sqlite(folder), lines), _filled(_postgres(url), lines)
        ours, theirs, remote, plain = by_turns(
            lambda: _replayed(made),
            lambda: _read(on_sqlite),
            lambda: _read(on_postgres),
            lambda: _loaded(lines),
            turns=TURNS,
        )
        rows = [
            _row(ours, theirs, "the library on SQLite", 4),
            _row(ours, remote, "the library on PostgreSQL", 8),
            _row(ours, plain, "json.loads alone", 0.3),
        ]
        return [*rows, _processes(made), _memory(made), _as_of(made)]


def silent(done: int, size: int) -> None:
    """Hear how far it is."""


def _row(ours: float, against: float, other: str, times: float) -> Row:
    return Row(
        measure="checked, decoded and folded facts/s, one core",
        ours=ours,
        against=against,
        other=other,
        aim=f"ratio >= {times}",
        met=ours >= times * against,
        durability=EXPORT,
    )


# -- ours -----------------------------------------------------------------------------------------


def _lines(made: Made) -> list[bytes]:
    """Return the facts of the log of consents as they lie in the export."""
    files = sorted((made.export / "consent" / "facts").iterdir())
    return [line for file in files for line in file.read_bytes().splitlines()]


def _trust(made: Made) -> Trust:
    keys = trusted_keys(made.keys.read_text("utf-8").splitlines())
    return Trust(keys, Policy.parse(made.policy.read_text("utf-8")))


def _replayed(made: Made) -> float:
    """Return the facts a second of checking the log of consents, and folding it on the way."""
    with ExitStack() as stack:
        stack.enter_context(uncollected())
        history = stack.enter_context(open_history(made.export))
        log = history.logs["consent"]
        folding = stack.enter_context(Folding(log))
        started = time.perf_counter()
        came = check_log(
            history.export,
            history.manifest,
            "consent",
            _trust(made),
            lambda position: None,
            taken=folding.read,
        )
        assert isinstance(came, LogChecked), came
        return came.facts / (time.perf_counter() - started)


def _processes(made: Made) -> Row:
    """Measure both logs by two processes, and by one."""

    def exports_a_second(processes: int) -> float:
        started = time.perf_counter()
        checked = check_apart(made.export, _trust(made), silent, processes=processes, states=True)
        assert not checked.findings
        return 1 / (time.perf_counter() - started)

    two, one = by_turns(lambda: exports_a_second(2), lambda: exports_a_second(1), turns=TURNS)
    return Row(
        measure="exports/s, checked and folded by two processes",
        ours=two,
        against=one,
        other="by one process",
        aim="ratio >= 1.7",
        met=two >= 1.7 * one,
        durability=EXPORT,
    )


def _memory(made: Made) -> Row:
    """Measure what a process of its own holds at most."""
    command = [sys.executable, "-m", "bench.replay", str(made.export.parent)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    megabytes, rate = (float(one) for one in done.stdout.split())
    return Row(
        measure="MB held while a log is checked and folded",
        ours=megabytes,
        against=float(MEGABYTES_MAX),
        other=f"the most allowed; {rate:,.0f} facts/s",
        aim=f"< {MEGABYTES_MAX}",
        met=megabytes < MEGABYTES_MAX,
        durability=EXPORT,
    )


def _as_of(made: Made) -> Row:
    """Measure a subject as of a late instant, beside the digest of then, which is kept."""
    with open_history(made.export) as history:
        log = history.logs["consent"]
        late = log.index.entries(after=log.size * 9 // 10, limit=1)[0]
        position = log.index.position_at(late.recorded_at)
        digest(log, position, silent)
        tags = log.index.tags("consent:", limit=AS_OF_TIMES)
        started = time.perf_counter()
        for tag in tags:
            digest(log, log.index.position_at(late.recorded_at), silent)
            seen(log, Subject.of(tag), position)
        seconds = (time.perf_counter() - started) / len(tags)
    return Row(
        measure="seconds to a subject's state as of a late instant",
        ours=seconds,
        against=AS_OF_S_MAX,
        other="the most allowed",
        aim=f"< {AS_OF_S_MAX:g}",
        met=seconds < AS_OF_S_MAX,
        durability=EXPORT,
    )


# -- the others -----------------------------------------------------------------------------------


def _loaded(lines: Sequence[bytes]) -> float:
    started = time.perf_counter()
    for line in lines:
        json.loads(line)
    return len(lines) / (time.perf_counter() - started)


def _mapper() -> Mapper[UUID]:
    transcoder = JSONTranscoder()
    for transcoding in (UUIDAsHex(), DatetimeAsISO()):
        transcoder.register(transcoding)
    return Mapper(transcoder)


def _sqlite(folder: Path) -> ApplicationRecorder:
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(folder / "library.db")))
    recorder.create_table()
    return recorder


def _postgres(url: str) -> ApplicationRecorder:
    name = f"bench_replay_{os.getpid()}"
    recorder = PostgresApplicationRecorder(library_datastore(url), events_table_name=name)
    recorder.create_table()
    return recorder


def _filled(recorder: ApplicationRecorder, lines: Sequence[bytes]) -> ApplicationRecorder:
    """Put the same facts into a store of the library, each an event of its first subject."""
    mapper, versions = _mapper(), Counter[str]()
    for start in range(0, len(lines), TOGETHER):
        events = [_event(line, versions) for line in lines[start : start + TOGETHER]]
        recorder.insert_events([mapper.to_stored_event(one) for one in events])
    return recorder


def _event(line: bytes, versions: Counter[str]) -> FactHappened:
    fact = json.loads(line)
    subject = (fact["tags"] or [fact["kind"]])[0]
    versions[subject] += 1
    return FactHappened(  # type: ignore[call-arg]  # the library makes the class what it is
        originator_id=uuid5(NAMES, subject),
        originator_version=versions[subject],
        timestamp=datetime.fromisoformat(fact["recorded_at"]),
        kind=fact["kind"],
        tags=fact["tags"],
        data=fact["data"],
    )


def _read(recorder: ApplicationRecorder) -> float:
    """Return the domain events a second that the library's notification log gives."""
    log, mapper = LocalNotificationLog(recorder, section_size=SECTION_FACTS), _mapper()
    started, count = time.perf_counter(), 0
    while found := log.select(start=count + 1, limit=SECTION_FACTS):
        for notification in found:
            mapper.to_domain_event(notification)
        count += len(found)
    return count / (time.perf_counter() - started)


def _tell(folder: Path) -> None:
    """Check and fold in this process; print its memory (MB) and the facts a second."""
    names = ("export", "key.ndjson", "keys", "witnesses.policy")
    export, key, keys, policy = (folder / name for name in names)
    rate = _replayed(Made(export, key, keys, policy, 0))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rate)


if __name__ == "__main__":
    _tell(Path(sys.argv[1]))
