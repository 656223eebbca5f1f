"""Makes the history: who comes when, until each log has as many facts as wanted.

Everything follows from the seed. What was planted is told in the key, which lies beside the
export, one line each; everything else breaks no law.
"""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.history.agreeing import AGREEING
from bench.history.clutter import clutter
from bench.history.directory import new_policy, settle, suspension
from bench.history.gate import GATE
from bench.history.keys import Chance, Issuer, note_keys, witness_key
from bench.history.listing import LISTING
from bench.history.lives import attempts, invite, life, misplaced
from bench.history.planted import Planting
from bench.history.powers import POWERS
from bench.history.records import RECORDS
from bench.history.using import USING
from bench.history.world import START, Steps, World
from bench.history.writing import LogWriter, file_of
from services.audit.export import (
    FORMAT,
    JWKS,
    LEDGER_FORMAT,
    LOG_NAMES,
    MANIFEST,
    README,
    LogName,
    Manifest,
    Taken,
)
from services.audit.taking import DOCS, TEXTS
from services.audit.writing import paths_in
from services.consent.notices import Notices
from services.consent.policy import Policy
from shared.ledger.notes import VerifierKey

DAYS = 240
"""How long a history is, however many facts are in it."""

OPENS_AT, OPEN_FOR = timedelta(hours=7), timedelta(hours=11)
"""When people come, of a day in Vietnam."""

FACTS_A_LIFE = 11
"""Facts in the log of consents for each who comes, on the average: it sets how many come a day."""

FACTS_LEFT = 12
"""Facts that whoever is under way may still add to a log; what is left over is filled up."""

PLANTED_EVERY = 33
"""One case in so many breaks a law: 3 %."""

DEEDS = [*AGREEING, *USING, *RECORDS, *LISTING, *GATE, *POWERS]
"""Every deed that is planted."""

CLUTTER = 0.05
"""How often something happens that is nobody's question, for each who comes."""

FACTS_LEAST = 700
"""The directory of the smallest country, its rights, and a few days."""

OFFICES_MAX = 60


@dataclass(frozen=True)
class Made:
    """A history that was made: the export, its key, and what to trust."""

    export: Path
    key: Path
    keys: Path
    policy: Path
    planted: int = 0


def generate(folder: Path, facts: int, seed: int = 1, planted_every: int = PLANTED_EVERY) -> Made:
    """Write an export with so many facts in each log; `planted_every` 0 plants nothing.

    Raises `ValueError` for fewer facts than a country has without any citizen.
    """
    if facts < FACTS_LEAST:
        raise ValueError(f"a history has {FACTS_LEAST} facts in each log at least")
    shutil.rmtree(folder, ignore_errors=True)
    made = made_in(folder)
    made.export.mkdir(parents=True)
    chance = Chance(seed)
    world = _world(made.export, chance)
    planting = Planting(world, planted_every, DEEDS)
    _begin(world, facts)
    _live(world, planting, facts)
    _fill(world, facts)
    lines = [json.dumps(line.document()) for line in planting.key]
    made.key.write_text("".join(f"{line}\n" for line in lines))
    _finish(made, world)
    return replace(made, planted=len(lines))


def made_in(folder: Path) -> Made:
    """Return where everything of a history lies in a folder."""
    return Made(
        folder / "export", folder / "key.ndjson", folder / "keys", folder / "witnesses.policy"
    )


def _world(export: Path, chance: Chance) -> World:
    witness = witness_key(chance)
    logs = {
        log: LogWriter(export, log, note_keys(chance, origin_of(log)), witness) for log in LOG_NAMES
    }
    return World(chance, issuer_of(chance), logs["consent"], logs["accounts"])


def issuer_of(chance: Chance) -> Issuer:
    """Return the consent service as it signs: with a key, and from some day on with the next."""
    starts = [START - timedelta(days=200), START + timedelta(days=100)]
    return Issuer("consent", chance, starts, timedelta(days=366))


def origin_of(log: LogName) -> str:
    """Return the name of a log of the bench."""
    return f"bench.example/{log}"


def _begin(world: World, facts: int) -> None:
    """Settle the country, and let come what comes once."""
    settle(world, min(OFFICES_MAX, 6 + facts // 5_000))
    for number in range(8):
        world.witnesses.append(invite(world, f"committee-{number % 4}-{number}"))
    stricter = Policy(settles_after=timedelta(hours=48), refusal_holds_for=timedelta(days=180))
    world.start(new_policy(world, stricter), timedelta(days=DAYS / 3, minutes=7))
    for at in range(10, DAYS, 25):
        world.start(_trouble(world), timedelta(days=at, minutes=13))


def _trouble(world: World) -> Steps:
    """Suspend somebody who is not steady: a clerk, a site, an office, or a bank at an office."""
    random = world.chance.random
    office = random.choice(world.unsteady)
    scope, by = random.choice(
        [
            ({"clerk": random.choice(office.clerks), "office": office.id}, f"manager:{office.id}"),
            ({"site": random.choice(office.sites)}, "overseer:ministry"),
            ({"office": office.id}, f"manager:{office.id}"),
            ({"office": office.id}, "overseer:ministry"),
        ]
    )
    yield from suspension(world, scope, by, timedelta(days=random.randint(1, 9)))


def _live(world: World, planting: Planting, facts: int) -> None:
    """Let people come until all that is under way will fill the logs."""
    mean = OPEN_FOR * DAYS * FACTS_A_LIFE / facts
    elapsed, arrivals = timedelta(0), by_day(timedelta(0))
    while _room(world, facts):
        while world.waiting and world.next_at <= arrivals:
            world.step()
        world.now = max(world.now, arrivals)
        if world.accounts.position < world.consent.position:
            world.start(attempts(world))
        if world.accounts.position > world.consent.position - 20:
            world.start(planting.next() or life(world))
            if world.chance.random.random() < CLUTTER:
                world.start(clutter(world))
        elapsed += mean * world.chance.random.expovariate(1.0)
        arrivals = by_day(elapsed)
    while world.waiting:
        world.step()


def _room(world: World, facts: int) -> bool:
    written = max(world.consent.position, world.accounts.position)
    return written + world.waiting * FACTS_LEFT + 60 < facts


def by_day(elapsed: timedelta) -> datetime:
    """Return the instant at which counters have been open for so long, from the second day on."""
    days, into = divmod(elapsed, OPEN_FOR)
    return START + timedelta(days=days + 1) + OPENS_AT + into


def _fill(world: World, facts: int) -> None:
    """Let attempts come until both logs have so many facts."""
    while world.consent.position < facts or world.accounts.position < facts:
        world.now += timedelta(seconds=world.chance.random.randint(1, 90))
        if world.consent.position < facts:
            _all(misplaced(world))
        if world.accounts.position < facts:
            _all(attempts(world, 1))
    assert world.consent.position == world.accounts.position == facts


def _all(steps: Steps) -> None:
    for _ in steps:
        pass


def _finish(made: Made, world: World) -> None:
    """Write what is not facts: notes, keys, texts, and last the manifest."""
    at, export = world.now + timedelta(minutes=1), made.export
    logs: dict[LogName, Taken] = {
        "consent": world.consent.finish(at),
        "accounts": world.accounts.finish(at),
    }
    (export / JWKS).write_bytes(world.issuer.jwks())
    (export / README).write_bytes((TEXTS / README).read_bytes())
    (export / LEDGER_FORMAT).write_bytes((DOCS / LEDGER_FORMAT).read_bytes())
    (export / "texts").mkdir()
    for name, text in Notices().files("open-account.2").items():
        (export / "texts" / name).write_text(text, "utf-8")
    files = [file_of(export, path) for path in paths_in(export)]
    manifest = Manifest(FORMAT, at, logs, None, (), files)
    (export / MANIFEST).write_bytes(manifest.content())
    _trusted(made, world.chance)


def _trusted(made: Made, chance: Chance) -> None:
    """Write what an inspector has from elsewhere: the logs' keys, and whom to believe."""
    keys: list[VerifierKey] = [
        key.verifier for log in LOG_NAMES for key in note_keys(chance, origin_of(log))
    ]
    made.keys.write_text("".join(f"{key}\n" for key in keys))
    witness = witness_key(chance).verifier
    made.policy.write_text(f"witness w {witness}\nquorum w\n")
