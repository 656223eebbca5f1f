"""A decision and an opening of the same consent, sent at the same moment, again and again.

What races goes over sockets to the real two services. What it needs is made before, in batches: by
the consent service's own verbs, in this process, on the same store. Then both logs are read: every
law holds, no use lies on the wrong side of the decision, and what each caller was told is what the
logs say. The kinds of decisions are in `tests/support/race_kinds.py`.

The opening is sent some milliseconds before the decision, or after it, so that either is first
about as often (`Lead`): the two meet, however fast or busy the machine is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

import httpx

from demo.cast import Citizen
from demo.integrity import Fact
from services.consent import main as consent_main
from services.consent.application.parts import Parts
from shared.clock import SandboxClock
from tests.support.laws import payload, personal_data, violations
from tests.support.processes import Running, a_client, consent_settings
from tests.support.world import read_log

ACT, OPENING = "decision", "opening"
"""Who was first."""

BATCH = 104
"""Rounds that are prepared together, and after which every law is checked."""

AT_ONCE = 8
"""Rounds that run at the same time."""

SPREAD_S = 0.001
"""Seconds by which the leads differ between the rounds that run at the same time."""

STEP_S, STEP_MIN_S, STEP_MAX_S = 0.004, 0.000_5, 0.1
"""Seconds by which a lead changes at first, at least, at most."""

GROUPS_APART = timedelta(seconds=5)
"""Between the agreements of rounds that do not run at the same time; their times end apart too."""

BEFORE_DUE_S = 0.05
"""Seconds before the first of its openings is to be sent at which a group begins to wait."""

TRIES_MAX = 10
"""How many times as many rounds may be needed until decision and opening were both first."""

HEARD_WITHIN_S = 20.0
"""Seconds in which accounts must have heard of every dispute."""

KEPT_S = 2.0
"""Seconds that a connection is kept: less than the services keep it, so that none is half gone."""

TIMEOUT_S = 20.0

PHONES = "+84977700777"
"""How all phones of these citizens begin: one search finds whichever was written down."""

Send = Callable[[], Coroutine[Any, Any, httpx.Response]]
Place = int | None


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is sent about one consent; without `act`, it is time that decides, at `due` (UTC)."""

    citizen_id: str
    consent_id: str
    opening_id: str
    act: Send | None
    opening: Send
    due: datetime | None = None
    act_id: str = ""
    """What the decision is about, if not the consent or the citizen: a right."""


@dataclass(frozen=True)
class Told:
    """What the callers were told in a round; when the opening was sent and answered (UTC)."""

    act: httpx.Response | None
    opening: httpx.Response
    sent_at: datetime
    answered_at: datetime


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of decision.

    `agree` makes a consent, `wait` goes by, `meet` makes its round. The decision is the fact `fact`
    about the consent or the citizen; `first` is told where it lies, and where the use, says who was
    first, and fails if they may not lie so. `denied` are the reasons that an opening may be told.
    At the gate, the opening is its redemption alone. `apart` is where time decides: what runs later
    is agreed to later.
    """

    agree: Callable[["Course"], Awaitable[Any]]
    meet: Callable[["Course", Any], Awaitable[Round]]
    fact: str
    first: Callable[[Place, Place], str]
    denied: frozenset[str]
    wait: timedelta = timedelta(0)
    at_gate: bool = False
    apart: bool = False


@dataclass
class Lead:
    """Seconds by which an opening is sent before the decision; who is first says where it goes."""

    seconds: float = STEP_S
    step: float = STEP_S
    up: bool | None = None

    def follow(self, winners: Counter[str]) -> None:
        """Send openings earlier if the decision was first more often, else later.

        Faster and faster in one direction, slower after each turn.
        """
        up = winners[ACT] > winners[OPENING]
        if self.up is not None:
            wanted = self.step * 2 if up is self.up else self.step / 2
            self.step = min(max(wanted, STEP_MIN_S), STEP_MAX_S)
        self.up = up
        self.seconds += self.step if up else -self.step


@dataclass
class Logs:
    """Both logs as far as they were read, and each fact by its kind and what it is about."""

    consent: list[Fact] = field(default_factory=list)
    accounts: list[Fact] = field(default_factory=list)
    found: dict[tuple[str, str], Fact] = field(default_factory=dict)

    def add(self, log: list[Fact], facts: Iterable[Fact]) -> None:
        """Take more of a log."""
        for fact in facts:
            log.append(fact)
            for name in ("consent_id", "citizen_id", "opening_id", "redemption_id", "right_id"):
                if own_id := fact["data"].get(name):
                    self.found[fact["kind"], own_id] = fact

    def place(self, kind: str, *ids: str) -> Place:
        """Return where the fact of a kind lies that is about one of these."""
        places = [one["position"] for own_id in ids if (one := self.found.get((kind, own_id)))]
        return places[0] if places else None

    def reasons(self, kind: str, own_id: str) -> list[str] | None:
        """Return the reasons of a rejection, if there was one."""
        fact = self.found.get((kind, own_id))
        return fact["data"]["reasons"] if fact else None

    def count(self, kind: str, consent_id: str) -> int:
        """Return how many facts of a kind are about a consent."""
        facts = (*self.consent, *self.accounts)
        tag = f"consent:{consent_id}"
        return sum(one["kind"] == kind and tag in one["tags"] for one in facts)

    def consents(self, kind: str) -> set[str]:
        """Return the consents that facts of a kind are about."""
        return {one["data"]["consent_id"] for (name, _), one in self.found.items() if name == kind}


@dataclass
class Course:
    """Running services, their clients, and the consent service's parts to prepare rounds with.

    `consent` reaches the process that decides, `accounts` the one that opens, and `gate` the
    consent service's process at which that one uses consents. Where several processes serve a log,
    `lanes` are the ways of a round: each by another process that decides than that uses.
    """

    both: Running
    parts: Parts
    clock: SandboxClock
    consent: httpx.AsyncClient
    accounts: httpx.AsyncClient
    gate: httpx.AsyncClient
    logs: Logs = field(default_factory=Logs)
    lanes: Sequence["Course"] = ()

    def citizen(self) -> Citizen:
        """Return a citizen whom nobody knows yet."""
        number = next(self.both.numbers)
        return Citizen(f"c-race-{number}", "", f"{PHONES}{number:04d}")

    async def play(self, kind: Kind, rounds: int) -> Counter[str]:
        """Run so many rounds, or more until either was first; returns who was how often."""
        winners, lead = Counter[str](), Lead()
        while winners.total() < rounds or len(winners) < len({ACT, OPENING}):
            assert winners.total() < TRIES_MAX * rounds, (winners, lead)
            for group in await self._agreed(kind, min(BATCH, rounds - winners.total() % rounds)):
                won = await self._group(kind, group, lead)
                lead.follow(won)
                winners += won
            await self.check()
        return winners

    async def check(self) -> None:
        """Read both logs to their ends, and hold every law; no process has trouble with sealing."""
        await self._read()
        for client in (one for lane in self.lanes for one in (lane.gate, lane.accounts)):
            ready = (await client.get("/readyz")).json()
            assert ready["trouble"] is None, ready
        keys = (await self.consent.get("/.well-known/jwks.json")).json()
        personal = [PHONES[-9:], *personal_data(self.both.people)]
        broken = violations(self.logs.consent, self.logs.accounts, keys, personal)
        assert broken == [], broken

    async def _agreed(self, kind: Kind, rounds: int) -> list[list[Any]]:
        """Return consents, in groups that run one after the other."""
        groups, together = list[list[Any]](), AT_ONCE if kind.apart else rounds
        for start in range(0, rounds, together):
            size = min(together, rounds - start)
            agreed = await asyncio.gather(*(kind.agree(self) for _ in range(size)))
            groups += [agreed[at : at + AT_ONCE] for at in range(0, size, AT_ONCE)]
            self.clock.move_to(self.clock() + GROUPS_APART)
        self.clock.move_to(self.clock() + kind.wait)
        return groups

    async def _group(self, kind: Kind, consents: list[Any], lead: Lead) -> Counter[str]:
        """Run some rounds at the same time; returns who was first how often."""
        meets = zip(cycle(self.lanes), consents, strict=False)
        rounds = await asyncio.gather(*(kind.meet(lane, one) for lane, one in meets))
        middle = len(rounds) / 2
        leads = [lead.seconds + (at - middle) * SPREAD_S for at in range(len(rounds))]
        if due := [one.due for one in rounds if one.due]:
            self.clock.move_to(min(due) - timedelta(seconds=max(*leads, 0) + BEFORE_DUE_S))
        told = await asyncio.gather(*map(self._run, rounds, leads))
        await self._read()
        return Counter(judged(kind, *one, self.logs) for one in zip(rounds, told, strict=True))

    async def _run(self, one: Round, lead_s: float) -> Told:
        """Send both at their moments, and wait for both answers."""
        start_s = (one.due - self.clock()).total_seconds() if one.due else max(lead_s, 0)
        act = asyncio.create_task(_after(start_s, one.act)) if one.act else None
        await asyncio.sleep(start_s - lead_s)
        sent_at = self.clock()
        opening = await one.opening()
        return Told(await act if act else None, opening, sent_at, self.clock())

    async def _read(self) -> None:
        """Read on in both logs, until accounts has heard of every dispute."""
        logs, regulator = self.logs, self.both.tokens.header("regulator")
        async with asyncio.timeout(HEARD_WITHIN_S):
            while True:
                for client, log in ((self.consent, logs.consent), (self.accounts, logs.accounts)):
                    logs.add(log, await read_log(client, regulator, len(log)))
                if logs.consents("consent.disputed.1") <= logs.consents("stop.delivered.1"):
                    return
                await asyncio.sleep(0.05)


async def _after(seconds: float, send: Send) -> httpx.Response:
    await asyncio.sleep(seconds)
    return await send()


def judged(kind: Kind, one: Round, told: Told, logs: Logs) -> str:
    """Return who was first, by the log; what the callers were told must be what it says."""
    used = logs.place("consent.redeemed.1", one.consent_id)
    acted = logs.place(kind.fact, one.consent_id, one.citizen_id, one.act_id)
    if told.act is not None:
        assert told.act.status_code in {200, 204, 303, 409}, told.act.text
        assert (told.act.status_code == 409) == (acted is None), (told.act.status_code, acted)
    if kind.at_gate:
        _as_told(told.opening, used, logs.reasons("redemption.rejected.1", one.opening_id))
    else:
        opened = logs.place("account.opened.1", one.opening_id)
        _as_told(told.opening, opened, logs.reasons("opening.rejected.1", one.opening_id))
        if opened and logs.place("consent.disputed.1", one.consent_id):
            assert logs.place("account.frozen.1", one.opening_id), f"{opened} is not frozen"
    assert set(_codes(told.opening)) <= kind.denied, told.opening.text
    if one.due:
        assert told.sent_at < one.due or told.opening.is_success, "denied when its time had come"
        assert told.answered_at >= one.due or told.opening.is_error, "opened before its time"
    return kind.first(acted, used)


def _as_told(answer: httpx.Response, place: Place, reasons: list[str] | None) -> None:
    """Hold an answer to where its fact lies, or to the reasons of its rejection."""
    if answer.status_code == 201:
        said = answer.json()
        position = payload(said["receipt"])["position"] if "receipt" in said else said["position"]
        assert position == place, (position, place)
    else:
        assert answer.status_code in {403, 409}, answer.text
        assert (place, reasons) == (None, _codes(answer)), (place, reasons, answer.text)


def _codes(answer: httpx.Response) -> list[str]:
    return [] if answer.is_success else [one["code"] for one in answer.json()["reasons"]]


@asynccontextmanager
async def a_course(both: Running) -> AsyncIterator[Course]:
    """Give a course on running services, whose accounts reaches the consent service directly."""
    clock = SandboxClock(both.services.folder / "clock")
    async with AsyncExitStack() as stack:
        pairs = [
            [await stack.enter_async_context(_client(service.port)) for service in pair]
            for pair in both.pairs
        ]
        parts = consent_main.create_parts(consent_settings(both.services.consent), pairs[0][1])
        try:
            consent, accounts = pairs[0]
            yield _by_all(Course(both, parts, clock, consent, accounts, gate=consent), pairs)
        finally:
            parts.log.close()
            parts.erasure.close()


def _by_all(course: Course, pairs: Sequence[Sequence[httpx.AsyncClient]]) -> Course:
    """Return a course whose rounds each go to two processes of the consent service, if there are.

    Each accounts process uses consents at the process of its pair.
    """
    lanes = [
        replace(course, consent=consent, accounts=accounts, gate=gate)
        for (consent, _), (gate, accounts) in zip(pairs, [*pairs[1:], pairs[0]], strict=True)
    ]
    course.lanes = lanes
    return course


def _client(port: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=4 * AT_ONCE, keepalive_expiry=KEPT_S)
    return a_client(port, TIMEOUT_S, limits)
