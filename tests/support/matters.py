"""A morning that is told by both services, of which bundles are made: right, and then bent."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from services.audit.export import LogName
from services.consent.notices import FOLDER
from shared.ledger.recorder import StoredFact
from tests.support.exports import Change, Facts, History, positions, put_in_place, with_data
from tests.support.lists import as_csv, line
from tests.support.world import World, a_world, new_id

GIVEN, REDEEMED, OPENED = "consent.given.1", "consent.redeemed.1", "account.opened.1"


@dataclass
class Morning:
    """Who did what: by what they did, the citizen, the consent and the opening."""

    history: History
    people: dict[str, str] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    openings: dict[str, str] = field(default_factory=dict)
    indexed: dict[LogName, list[int]] = field(default_factory=dict)


def a_morning(folder: Path) -> Morning:
    """Play it, and return what both logs have of it."""

    async def play() -> Morning:
        async with a_world(folder) as world:
            return await _played(world)

    return asyncio.run(play())


async def _played(world: World) -> Morning:
    morning = Morning(History({}, b""))
    opened, used_online, refused, unused, stopped, bare = world.people[:6]
    await _open(world, morning, "opened", opened)
    await _index(world)
    consent_id, answer = await world.ask(refused)
    await world.phone(refused).decide(answer.json()["link"], "refused")
    _note(morning, "refused", refused, consent_id)
    await _open(world, morning, "online", used_online, holder="so-viet")
    consent_id, link, _ = await world.given(unused)
    await world.phone(unused).decide(link, "withdrawn")
    _note(morning, "withdrawn", unused, consent_id)
    link = await _open(world, morning, "disputed", stopped)
    await world.consent.post(f"{link}/not-me")
    rejected = new_id()
    await world.open(bare, None, opening_id=rejected)
    _note(morning, "bare", bare, opening_id=rejected)
    await _list(world)
    await _index(world)
    await _index(world)
    await world.newcomer()
    return await _kept(world, morning)


async def _open(
    world: World, morning: Morning, name: str, citizen: Any, *, holder: str = ""
) -> str:
    consent_id, link, event = await world.given(citizen, holder=holder)
    opening_id = new_id()
    answer = await world.open(citizen, event, opening_id=opening_id, holder=holder)
    answer.raise_for_status()
    body = {"account_number": f"10203040{len(morning.openings)}"}
    address, headers = f"/openings/{opening_id}/confirmation", world.tokens.header("so-viet")
    (await world.accounts.put(address, json=body, headers=headers)).raise_for_status()
    _note(morning, name, citizen, consent_id, opening_id)
    return link


async def _list(world: World) -> None:
    """Hand in what the bank has open: the disputed account, and one that a clerk opened there."""
    lines = [
        line("102030402", office_id="bd-huong-hoa", clerk_id="gdv-01"),
        line("102030409", office_id="bd-huong-hoa", clerk_id="gdv-01"),
    ]
    answer: httpx.Response = await world.accounts.put(
        "/reconciliations/r1?day=2023-08-09",
        content=as_csv(lines),
        headers={**world.tokens.header("so-viet"), "Content-Type": "text/csv"},
    )
    counts = answer.raise_for_status().json()["counts"]
    assert (counts["stopped"], counts["without_consent"]) == (1, 1)


def _note(
    morning: Morning, name: str, citizen: Any, consent_id: str = "", opening_id: str = ""
) -> None:
    morning.people[name] = citizen.id
    morning.consents |= {name: consent_id} if consent_id else {}
    morning.openings |= {name: opening_id} if opening_id else {}


async def _index(world: World) -> None:
    for client in (world.consent, world.accounts):
        answer = await client.post("/log/index", headers=world.tokens.header("regulator"))
        answer.raise_for_status()


async def _kept(world: World, morning: Morning) -> Morning:
    apps: list[tuple[LogName, Any]] = [
        ("consent", world.consent_app),
        ("accounts", world.accounts_app),
    ]
    logs = {log: app.state.log.recorder.page().facts for log, app in apps}
    answer: httpx.Response = await world.consent.get("/.well-known/jwks.json")
    texts = {file.name: file.read_bytes() for file in sorted(FOLDER.glob("open-account.*"))}
    morning.history = History(logs, answer.content, texts)
    return morning


# -- ways to bend it ------------------------------------------------------------------------------


def own(facts: Sequence[StoredFact], kind: str, consent_id: str) -> StoredFact:
    """Return a consent's fact of a kind."""
    tag = f"consent:{consent_id}"
    return next(fact for fact in facts if fact.kind == kind and tag in fact.tags)


def bent(kind: str, consent_id: str, log: LogName = "consent", **changes: Any) -> Change:
    """Return what changes members of a fact."""

    def change(logs: dict[LogName, Facts]) -> None:
        fact = own(logs[log], kind, consent_id)
        logs[log][fact.position - 1] = with_data(fact, **changes)

    return change


def gone(kind: str, consent_id: str, log: LogName = "consent") -> Change:
    """Return what puts something of no interest where a fact was."""

    def change(logs: dict[LogName, Facts]) -> None:
        _remove(logs[log], own(logs[log], kind, consent_id).position)

    return change


def _remove(facts: Facts, position: int) -> None:
    other = StoredFact(0, facts[0].recorded_at, "bank.registered.1", ["bank:x"], FILLER, b"")
    put_in_place(facts, position, other)


FILLER = b'{"bank_id":"x","name":"X"}'


def twice(kind: str, consent_id: str, log: LogName = "consent", **changes: Any) -> Change:
    """Return what puts a fact a second time, in the place of one of no interest before it."""

    def change(logs: dict[LogName, Facts]) -> None:
        fact = own(logs[log], kind, consent_id)
        put_in_place(logs[log], spare(logs[log], log), with_data(fact, **changes))

    return change


def spare(facts: Facts, log: LogName) -> int:
    """Return the place of a fact that none of the matters needs."""
    kind = "citizen.registered.1" if log == "consent" else "opening.rejected.1"
    return positions(facts, kind)[-2 if log == "consent" else -1]


def early(kind: str, consent_id: str) -> Change:
    """Return what puts a fact before everything else of its consent."""

    def change(logs: dict[LogName, Facts]) -> None:
        facts = logs["consent"]
        fact = own(facts, kind, consent_id)
        put_in_place(facts, spare(facts, "consent"), fact)
        _remove(facts, fact.position)

    return change


def withdrawn(consent_id: str) -> Change:
    """Return what withdraws a consent before everything else."""

    def change(logs: dict[LogName, Facts]) -> None:
        facts = logs["consent"]
        said = with_data(own(facts, GIVEN, consent_id), used_at=None)
        other = msgspec.structs.replace(said, kind="consent.withdrawn.1")
        put_in_place(facts, spare(facts, "consent"), other)

    return change


def suspended(noun: str, own_id: str) -> Change:
    """Return what suspends somebody before everything else."""

    def change(logs: dict[LogName, Facts]) -> None:
        facts = logs["consent"]
        data: dict[str, Any] = dict.fromkeys(
            ("bank_id", "office_id", "clerk_id", "site_id", "citizen_id")
        )
        data |= {f"{noun}_id": own_id, "suspension_id": "s-1", "why": "order", "ordered_by": "o:1"}
        tags = ["suspension:s-1", f"{noun}:{own_id}"]
        content = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
        other = StoredFact(0, facts[0].recorded_at, "suspension.ordered.1", tags, content, b"")
        put_in_place(facts, spare(facts, "consent"), other)

    return change


def right_ended(prefix: str) -> Change:
    """Return what ends every right of a sort before the morning."""

    def change(logs: dict[LogName, Facts]) -> None:
        facts = logs["consent"]
        for position in positions(facts, "right.granted.1"):
            if msgspec.json.decode(facts[position - 1].data)["right"] == prefix:
                ended = with_data(facts[position - 1], valid_until="2022-01-01T00:00:00Z")
                facts[position - 1] = ended

    return change
