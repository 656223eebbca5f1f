"""What was rejected, listed and counted: as a second telling has it, at a cost of what is told."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest
from eventsourcing.dcb.api import DCBEvent
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.facts import VOCABULARY, AccountDeclined, OpeningRejected
from shared.clock import day_of, start_of
from shared.ledger import sqlite
from shared.ledger.log import Log
from shared.ledger.notes import VerifierKey
from shared.ledger.recorder import Append, Recorder
from shared.ledger.verify import verify
from shared.rejections import Rejections, Sought
from tests.shared.conftest import Told
from tests.support.sealed import KEY, LATER_KEY, a_log

BEGUN = datetime(2023, 8, 8, 15, 0, tzinfo=UTC)
"""22:00 of 8 August in Vietnam: a day ends there after two hours, and here after nine."""

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
NOUNS = {"bank": "bank", "office": "manager", "site": None, "clerk": "clerk"}
PLACE = {"bank_id": "b", "office_id": "o", "site_id": "s", "clerk_id": "k"}
CODES = ["consent_used", "clerk_differs", "malformed"]

ResultT = TypeVar("ResultT")


def rejected(opening_id: str = "op", **changes: Any) -> OpeningRejected:
    """Return a rejected opening that names an office, by its own clerk."""
    whole: dict[str, Any] = {
        **dict.fromkeys(("citizen_id", "product_id", "purpose", "command_hash"), "x"),
        **PLACE,
        "commanded_by": "clerk:k",
        "reasons": ["consent_used"],
        **changes,
    }
    return OpeningRejected(opening_id=opening_id, **whole)


def enter(recorder: Recorder, *facts: Any) -> None:
    """Append facts in one commit."""
    recorder.append_batch([Append([VOCABULARY.encode(one) for one in facts])])


@dataclass
class Kept:
    """A log, the view over it, and all of it as it was exported."""

    log: Log
    runner: asyncio.Runner
    exported: Sequence[dict[str, Any]] = ()

    @property
    def view(self) -> Rejections:
        """Return the view."""
        return Rejections(self.log, VOCABULARY)

    def wait(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return what a coroutine gives."""
        return self.runner.run(coroutine)


@contextmanager
def a_told_log(folder: Path, now: Callable[[], datetime]) -> Iterator[Kept]:
    """Give an empty log of the accounts service."""
    sqlite.create_schema(folder / "ledger.db")
    log = Log(sqlite.SQLiteRecorder(folder / "ledger.db", now), VOCABULARY)
    with asyncio.Runner() as runner:
        yield Kept(log, runner)
    log.close()


def history(chance: random.Random) -> Iterator[Any]:
    """Yield attempts of few places and callers, some of whom name others, among other facts."""
    for number in range(200):
        if chance.random() < 0.2:
            yield AccountDeclined(opening_id="x", citizen_id="c", bank_id="b0", reason="r")
            continue
        ids = {f"{noun}_id": chance.choice([None, f"{noun}0", f"{noun}1"]) for noun in NOUNS}
        caller = chance.choice(["clerk:clerk0", "clerk:clerk1", "bank:bank0", "bank:bank1"])
        reasons = chance.sample(CODES, k=chance.randint(1, 3))
        yield rejected(f"op{number}", **ids, commanded_by=caller, reasons=reasons)


@pytest.fixture(scope="module")
def told_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Give a log of some days, with what a whole export of it says."""
    chance, instant = random.Random(7), [BEGUN]

    def now() -> datetime:
        instant[0] += timedelta(minutes=chance.choice([0, 1, 90]))
        return instant[0]

    with a_told_log(tmp_path_factory.mktemp("told"), now) as told:
        for fact in history(chance):
            enter(told.log.recorder, fact)
        stored = told.wait(told.log.stored(after=0, limit=10_000))
        told.exported = [
            {"position": one.position, "at": one.recorded_at, "kind": one.kind}
            | msgspec.json.decode(one.data)
            for one in stored
        ]
        yield told


def again(told: Kept, sought: Sought) -> list[dict[str, Any]]:
    """Return the attempts that are sought, from all that was exported."""
    found = [one for one in told.exported if ".rejected." in one["kind"]]
    for noun, role in NOUNS.items():
        if own_id := asdict(sought)[f"{noun}_id"]:
            found = [
                one
                for one in found
                if own_id == one[f"{noun}_id"] or one["commanded_by"] == f"{role}:{own_id}"
            ]
    return found


SOUGHT = st.builds(
    Sought, **{f"{noun}_id": st.sampled_from([None, f"{noun}0", f"{noun}1"]) for noun in NOUNS}
)
DAY = st.sampled_from([date(2023, 8, 7) + timedelta(days=number) for number in range(10)])


@given(sought=SOUGHT, day=st.none() | DAY, limit=st.integers(1, 40))
def test_pages_together_are_what_a_second_telling_finds(
    told_log: Kept, sought: Sought, day: date | None, limit: int
) -> None:
    """Whatever is sought, each attempt once and in order, on its day in Vietnam."""
    wanted = [
        one["position"]
        for one in again(told_log, sought)
        if day in {None, one["at"].astimezone(VIETNAM).date()}
    ]
    found, after = list[int](), 0
    while True:
        listed = told_log.view.listed(sought, day=day, after=after, limit=limit)
        page = told_log.wait(listed)
        positions = [one["position"] for one in page["rejections"]]
        assert len(positions) <= limit
        if not positions:
            break
        found, after = found + positions, page["next"]
    assert found == wanted


@given(sought=SOUGHT, first=DAY, days=st.integers(1, 9))
def test_counts_are_those_of_a_second_telling(
    told_log: Kept, sought: Sought, first: date, days: int
) -> None:
    """Each attempt once a day, and once for each of its reasons."""
    until = first + timedelta(days=days)
    counted = told_log.wait(told_log.view.counted(sought, first, until))
    attempts, reasons = Counter[date](), Counter[tuple[date, str]]()
    for one in again(told_log, sought):
        if first <= (day := one["at"].astimezone(VIETNAM).date()) < until:
            attempts[day] += 1
            reasons.update((day, code) for code in one["reasons"])
    assert {one["day"]: one["attempts"] for one in counted["days"]} == attempts
    by_day = {
        (one["day"], code): n for one in counted["days"] for code, n in one["reasons"].items()
    }
    assert by_day == reasons
    assert counted["attempts"] == attempts.total()
    assert sum(counted["reasons"].values()) == reasons.total()
    assert counted["as_of"] == sum(
        one["at"].astimezone(VIETNAM).date() < until for one in told_log.exported
    )


def test_more_than_is_read_at_once_is_counted(told_log: Kept) -> None:
    """Page after page, in a count as small as ours is long."""
    counted = told_log.view.counted(Sought(), date(2023, 8, 7), date(2023, 8, 17))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.rejections.COUNTED_AT_ONCE", 7)
        assert told_log.wait(counted)["attempts"] == len(again(told_log, Sought()))


def test_a_line_says_who_tried_what_where_and_why(tmp_path: Path) -> None:
    """In words of both languages; of a citizen no more than that it was one."""
    with a_told_log(tmp_path, lambda: BEGUN) as told:
        for by in ("clerk:gdv-02", "citizen:c-1"):
            fact = rejected(citizen_id="c-1", commanded_by=by)
            enter(told.log.recorder, fact)
        listed = told.wait(told.view.listed(Sought(clerk_id="k"), day=None, after=0, limit=9))
        first, second = listed["rejections"]
        (why,) = first.pop("reasons")
        assert set(why) == {"code", "en", "vi"}
        assert first == {
            "position": 1,
            "recorded_at": BEGUN,
            "kind": "opening.rejected.1",
            "tried_by": "clerk:gdv-02",
            **PLACE,
        }
        assert second["tried_by"] == "citizen"
        assert "c-1" not in str(listed)
        own = told.wait(told.view.listed(Sought(clerk_id="gdv-02"), day=None, after=0, limit=9))
        assert [one["position"] for one in own["rejections"]] == [1], "whomever it named"


def steps(told: Kept, coroutine: Coroutine[Any, Any, Any]) -> int:
    """Return how many hundreds of steps the store's machine makes to answer."""
    made = [0]

    def count() -> int:
        made[0] += 1
        return 0

    recorder = told.log.recorder
    assert isinstance(recorder, sqlite.SQLiteRecorder)
    reader = recorder._reader
    reader.set_progress_handler(count, 100)
    told.wait(coroutine)
    reader.set_progress_handler(None, 0)
    return made[0]


def test_it_costs_what_it_tells_and_not_what_the_log_holds(tmp_path: Path) -> None:
    """Forty times as many attempts of others, and other facts of its own bank, cost nothing."""
    day = date(2023, 8, 8)
    with a_told_log(tmp_path, lambda: BEGUN) as told:

        def asked() -> Iterator[Coroutine[Any, Any, Any]]:
            for sought in (Sought(office_id="own"), Sought(office_id="own", bank_id="b")):
                yield told.view.listed(sought, day=day, after=0, limit=50)
                yield told.view.counted(sought, day, day + timedelta(days=1))

        def add(own: int, others: int) -> None:
            declined = AccountDeclined(opening_id="x", citizen_id="c", bank_id="b", reason="r")
            facts: list[Any] = [rejected(office_id="own")] * own
            facts += [rejected(office_id="other"), declined] * others
            enter(told.log.recorder, *facts)

        add(own=40, others=100)
        few = [steps(told, one) for one in asked()]
        for _ in range(100):
            add(own=0, others=40)
        many = [steps(told, one) for one in asked()]
        assert all(0 < after <= before * 1.5 for before, after in zip(few, many, strict=True))
        first = told.view.listed(Sought(bank_id="b"), day=None, after=0, limit=20)
        assert steps(told, first) <= few[0], "however many follow behind a page"


def test_what_was_stored_before_a_tag_came_stays_sound(tmp_path: Path, told: Told) -> None:
    """It verifies, is read, and is found by what it was stored with; not by what came later."""
    fact: Any = rejected()
    old = ["opening:op", "citizen:x", "bank:b", "office:o", "clerk:k"]
    data = VOCABULARY.encode(fact).data
    with a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as made:
        made.recorder.append_batch([Append([DCBEvent(type=fact.NAME, data=data, tags=old)])])
        enter(made.recorder, fact)
        made.integrator().step()
        stored = made.recorder.page().facts
        keys = [VerifierKey.parse(str(one.verifier)) for one in (KEY, LATER_KEY)]
        assert verify(made.folder.fetch, KEY.name, keys, facts=stored).facts == 2
        view = Rejections(Log(made.recorder, VOCABULARY), VOCABULARY)
        for sought, positions in ((Sought(office_id="o"), [1, 2]), (Sought(site_id="s"), [2])):
            page = asyncio.run(view.listed(sought, day=None, after=0, limit=9))
            assert [one["position"] for one in page["rejections"]] == positions


def test_a_day_begins_at_midnight_in_vietnam() -> None:
    """To the microsecond, and lasts until the next one begins."""
    start = start_of(date(2023, 8, 9))
    assert start == datetime(2023, 8, 8, 17, 0, tzinfo=UTC)
    assert day_of(start) == date(2023, 8, 9)
    assert day_of(start - timedelta(microseconds=1)) == date(2023, 8, 8)
