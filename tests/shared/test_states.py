"""A state folded from a whole log in order is the one that a service finds by its tags."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBEvent

from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.accounts.facts import AccountFrozen
from services.accounts.states import NOUNS as OF_ACCOUNTS
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.states import NOUNS as OF_CONSENT
from shared.errors import Rejection
from shared.ledger import stores
from shared.ledger.facts import Recorded, Vocabulary, tags_of
from shared.ledger.log import Log
from shared.ledger.merkle import EMPTY_ROOT
from shared.ledger.recorder import Append
from shared.ledger.states import Nouns, States, Subject, state_text
from shared.live_states import LiveStates
from tests.support.any_facts import any_facts, as_stored
from tests.support.given import AT
from tests.support.postgres import in_a_schema
from tests.support.samples import DISPUTED, GIVEN, QUESTION, REDEEMED, RIGHTS

FACTS, TOGETHER, POSITIONS = 400, 8, 100

LOGS = [(CONSENT, OF_CONSENT), (ACCOUNTS, OF_ACCOUNTS)]


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty ledger, on each store in turn."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgres":
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    stores.create_schema(address)
    return address


@contextmanager
def live(address: str, vocabulary: Vocabulary, nouns: Nouns) -> Iterator[LiveStates]:
    """Give the states that a service with this store finds."""
    with closing(Log(stores.open_recorder(address, lambda: AT), vocabulary)) as log:
        yield LiveStates(log, vocabulary, nouns)


def filled(address: str, vocabulary: Vocabulary, seed: int) -> list[Recorded]:
    """Put any facts into a store, several at once, minutes apart; return them in their places."""
    facts, history = list(any_facts(vocabulary, Random(seed), FACTS)), list[Recorded]()
    for start in range(0, FACTS, TOGETHER):
        at, batch = AT + timedelta(minutes=start), facts[start : start + TOGETHER]
        history += [Recorded(place, at, one) for place, one in enumerate(batch, start + 1)]
    times = iter(history[::TOGETHER])
    with closing(stores.open_recorder(address, lambda: next(times).recorded_at)) as recorder:
        for start in range(0, FACTS, TOGETHER):
            events = [as_stored(one) for one in facts[start : start + TOGETHER]]
            recorder.append_batch([Append(events)])
    return history


@pytest.mark.parametrize(("vocabulary", "nouns"), LOGS, ids=["consent", "accounts"])
def test_a_replay_and_the_service_agree_at_any_position(
    address: str, vocabulary: Vocabulary, nouns: Nouns
) -> None:
    """At a hundred positions, on each store, whatever lies in the log."""
    history = filled(address, vocabulary, seed=7)
    wanted = {0, FACTS, *Random(8).sample(range(1, FACTS), POSITIONS)}
    states, found = States(nouns), {0: EMPTY_ROOT}
    for recorded in history:
        states.take(recorded, tags_of(recorded.fact))
        if recorded.position in wanted:
            found[recorded.position] = states.digest()

    async def check(service: LiveStates) -> None:
        for position in sorted(wanted):
            assert (await service.digest(position)).digest == found[position], position
        for tag, state in states.by_tag.items():
            assert await service.state(Subject.of(tag), FACTS) == state

    with live(address, vocabulary, nouns) as service:
        asyncio.run(check(service))


def test_time_and_position_mean_the_same_at_every_edge(address: str) -> None:
    """At the instant of a commit all of it is there, and nothing of it before."""
    history = filled(address, ACCOUNTS, seed=9)
    ends = {one.recorded_at: one.position for one in history}

    async def check(service: LiveStates) -> None:
        before = 0
        for at, position in ends.items():
            assert await service.position(None, at - timedelta(microseconds=1)) == before
            assert await service.position(None, at) == position
            before = position
        assert await service.position(10**6, None) == await service.position(None, None) == FACTS

    with live(address, ACCOUNTS, OF_ACCOUNTS) as service:
        asyncio.run(check(service))


def test_what_has_no_state_is_unknown(address: str) -> None:
    """A noun that is none, and a subject of whom nothing is."""

    async def check(service: LiveStates) -> None:
        for tag in ("consent:nobody", "moon:1", "consent"):
            with pytest.raises(Rejection):
                await service.state(Subject.of(tag), 0)

    with live(address, CONSENT, OF_CONSENT) as service:
        asyncio.run(check(service))


def states_of(facts: Sequence[Any]) -> States:
    """Return what facts come to."""
    states = States(OF_CONSENT)
    for position, fact in enumerate(facts, start=1):
        states.take(Recorded(position, AT, fact), tags_of(fact))
    return states


def test_a_fact_of_a_newer_program_makes_no_state(address: str) -> None:
    """The service passes it over, as whoever replays its log does."""
    filled(address, ACCOUNTS, seed=7)
    with live(address, ACCOUNTS, OF_ACCOUNTS) as service:
        before = asyncio.run(service.digest(FACTS))
        with closing(stores.open_recorder(address, lambda: AT)) as recorder:
            event = DCBEvent(type="moon.landed.1", data=b"{}", tags=["consent:consent_id-1"])
            recorder.append_batch([Append([event])])
        after = asyncio.run(service.digest(FACTS + 1))
    assert (after.subjects, after.digest) == (before.subjects, before.digest)


def test_one_digest_stands_for_every_state() -> None:
    """A member of one subject that differs, a subject more, or another order, is another digest."""
    facts = [*RIGHTS, QUESTION, GIVEN, REDEEMED]
    one = states_of(facts).digest()
    assert states_of(facts).digest() == one
    for other in (
        [*facts, DISPUTED],
        facts[1:],
        [*RIGHTS, QUESTION, GIVEN, replace(REDEEMED, command_hash="f" * 64)],
        [*RIGHTS, QUESTION, REDEEMED, GIVEN],
    ):
        assert states_of(other).digest() != one


def test_a_digest_follows_what_comes_after_it() -> None:
    """What is kept of the last digest is of no subject that changed since."""
    facts = [*RIGHTS, QUESTION, GIVEN, REDEEMED, DISPUTED]
    growing = States(OF_CONSENT)
    for position, fact in enumerate(facts, start=1):
        growing.take(Recorded(position, AT, fact), tags_of(fact))
        assert growing.digest() == states_of(facts[:position]).digest()
    own = growing.by_tag[f"consent:{QUESTION.consent_id}"]
    assert b'"disputed":{' in state_text(own)


def test_an_index_that_lost_a_fact_shows(tmp_path: Path) -> None:
    """The service no longer finds what the log holds, and its digest is another."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    stores.create_schema(address)
    history = filled(address, ACCOUNTS, seed=7)
    replayed = States(OF_ACCOUNTS)
    for recorded in history:
        replayed.take(recorded, tags_of(recorded.fact))
    lost = next(one for one in history if isinstance(one.fact, AccountFrozen)).position
    with live(address, ACCOUNTS, OF_ACCOUNTS) as service:
        assert asyncio.run(service.digest(FACTS)).digest == replayed.digest()
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as store, store:
            store.execute("DROP TRIGGER tags_remain")
            store.execute("DELETE FROM fact_tags WHERE position = ?", [lost])
        assert asyncio.run(service.digest(FACTS)).digest != replayed.digest()
