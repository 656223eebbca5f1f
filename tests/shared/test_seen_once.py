"""What was shown once is refused for as long as it would count, whoever asks, and in bounds."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.oauth.once import Once
from shared.seen_once import FILE, FORGOTTEN_AT_ONCE, SeenOnce, Shown, create_seen_once

NOW = 1_691_539_200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a service's folder with an empty memory."""
    create_seen_once(tmp_path)
    return tmp_path


def once(jti: object, expires: int = NOW + 60, signer: str = "a") -> Once:
    """Return something to show."""
    return Once("proof", signer, str(jti), expires)


def rows(folder: Path) -> tuple[int, int]:
    """Return how many are remembered, and how many holders are counted."""
    connection = sqlite3.connect(folder / FILE)
    counted = "SELECT (SELECT count(*) FROM seen), (SELECT count(*) FROM held)"
    (found,) = connection.execute(counted).fetchall()
    connection.close()
    return int(found[0]), int(found[1])


def test_the_same_is_shown_once(folder: Path) -> None:
    """Also in another process, after a restart, and whatever else came between."""
    seen = SeenOnce(folder)
    assert seen.first(once("j"), "bank", NOW)
    assert not seen.first(once("j"), "bank", NOW)
    assert seen.first(once("k"), "bank", NOW)
    assert seen.first(once("j", signer="b"), "bank", NOW)
    create_seen_once(folder)
    assert not SeenOnce(folder).first(once("j"), "bank", NOW + 60)


def test_of_many_at_once_one_is_first(folder: Path) -> None:
    """However their calls meet."""
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: SeenOnce(folder).first(once("j"), "bank", NOW), range(24)))
    assert told.count(True) == 1


def test_what_comes_together_has_its_own_answer_each(folder: Path) -> None:
    """One transaction: the same twice, a holder who has shown too much, and one who has not."""
    seen = SeenOnce(folder, held_max=1)
    shown = [("a", "bank"), ("a", "bank"), ("b", "bank"), ("c", "other")]

    async def scenario() -> list[bool | BaseException]:
        asked = [seen.is_first(Shown(once(jti), holder, NOW)) for jti, holder in shown]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, again, too_much, other = asyncio.run(scenario())
    assert (first, again, other) == (True, False, True)
    assert isinstance(too_much, Unavailable)
    assert too_much.code == "overloaded"
    assert rows(folder) == (2, 2)
    seen.close()


def test_what_is_over_is_forgotten(folder: Path) -> None:
    """A bounded number with each call; what still counts stays."""
    seen = SeenOnce(folder)
    for number in range(FORGOTTEN_AT_ONCE + 5):
        seen.first(once(number), "bank", NOW)
    assert seen.first(once("x", NOW + 200), "other", NOW + 61)
    assert rows(folder) == (6, 2)
    assert seen.first(once("y", NOW + 200), "other", NOW + 61)
    assert rows(folder) == (2, 1)
    for number in range(FORGOTTEN_AT_ONCE + 5):
        seen.first(once(number, NOW + 62), "bank", NOW + 61)
    seen.first(once("last", NOW + 63), "bank", NOW + 61)
    assert seen.first(once("last", NOW + 99), "bank", NOW + 64)  # over, if not yet removed
    assert not seen.first(once("x", NOW + 200), "other", NOW + 200)


def test_a_holder_has_so_many_and_the_others_theirs(folder: Path) -> None:
    """Whoever shows too much waits; nothing is forgotten for it, and nobody else waits."""
    seen = SeenOnce(folder, held_max=2)
    assert seen.first(once("a"), "bank", NOW)
    assert seen.first(once("b"), "bank", NOW)
    with pytest.raises(Unavailable, match="overloaded"):
        seen.first(once("c"), "bank", NOW)
    assert not seen.first(once("a"), "bank", NOW)
    assert seen.first(once("c"), "other", NOW)
    assert seen.first(once("d"), "bank", NOW + 61)


def test_a_memory_that_cannot_be_written_lets_nobody_in(folder: Path) -> None:
    """Nothing was decided, and it may be sent again."""
    seen = SeenOnce(folder)
    connection = sqlite3.connect(folder / FILE)
    connection.execute("DROP TABLE seen")
    connection.close()
    with pytest.raises(Unavailable, match="store_unavailable"):
        seen.first(once("a"), "bank", NOW)
    with pytest.raises(FileNotFoundError, match="run init"):
        SeenOnce(folder / "elsewhere")


def test_what_lasts_is_on_the_disk(folder: Path) -> None:
    """Whether a commit waits for the disk is asked for each time; closed, it opens again."""
    seen = SeenOnce(folder)
    for number, lasting in enumerate((True, False, True)):
        seen.first(once(number), "bank", NOW, lasting=lasting)
        (level,) = seen._connection().execute("PRAGMA synchronous").fetchone()
        assert level == (2 if lasting else 1)
    seen.close()
    seen.close()
    assert not seen.first(once(0), "bank", NOW)


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> SeenOnce:
    """Give a memory that is never emptied."""
    folder = tmp_path_factory.mktemp("worn")
    create_seen_once(folder)
    return SeenOnce(folder)


SIGNERS = (str(number) for number in count())


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90)), max_size=12))
def test_nothing_is_first_twice_while_it_counts(
    worn: SeenOnce, shown: list[tuple[int, int]]
) -> None:
    """In whatever order and at whatever times, as a set that remembers all for its time would."""
    signer, model = next(SIGNERS), dict[int, int]()
    for jti, after in sorted(shown, key=lambda one: one[1]):
        now = NOW + after
        counts = model.get(jti, 0) >= now
        assert worn.first(once(jti, now + 20, signer), "bank", now) is not counts
        if not counts:
            model[jti] = now + 20
