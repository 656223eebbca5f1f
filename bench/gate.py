"""What the gate costs an opening at a counter, with a directory of 12,000 offices, 50,000 clerks.

The same folder is served with the gate and without it (`bench/ungated.py`), in turns, in one run.
Without it is what the main job did before there was a directory: the consent's own facts decide.
Each consent is of another citizen, and of another clerk.
"""

import asyncio
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.load import request, send
from bench.openings import DURABILITY, sign
from bench.processes import free_port, serving
from bench.rows import Row
from demo.cast import ACCOUNT, SITE, Citizen, Tokens, make_tokens
from demo.commands import command
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.application.asking import Asking
from services.consent.application.deciding import Deciding
from services.consent.application.parts import Parts
from services.consent.application.registering import Registering
from services.consent.application.submitting import Submitting, Taken
from services.consent.facts import (
    VOCABULARY,
    BankRegistered,
    ClerkRegistered,
    ConsentRequested,
    OfficeRegistered,
    ProductOffered,
    Right,
    RightGranted,
    SiteRegistered,
)
from services.consent.gate import right_id
from services.consent.policy import Policy
from services.consent.settings import Settings as ConsentSettings
from shared.clock import SandboxClock
from shared.contracts.consent import Channel, Decision
from shared.contracts.fields import EARLIEST

OFFICES, CLERKS = 12_000, 50_000
TURNS, OPENINGS, WARM = 5, 200, 40
CONNECTIONS = 32
AIM = 0.9

AT_ONCE = 64
FACTS_AT_ONCE = 1_000

WITH, WITHOUT = "services.consent", "bench.ungated"


@dataclass(frozen=True)
class Place:
    """Where a question is asked: an office, and a clerk of it."""

    office_id: str
    clerk_id: str


def run(
    clerks: int = CLERKS, *, offices: int = OFFICES, turns: int = TURNS, openings: int = OPENINGS
) -> list[Row]:
    """Measure so many openings in each turn, with the gate and without; returns the row."""
    with TemporaryDirectory(prefix="thuan-bench-") as name:
        folder = Path(name)
        tokens = make_tokens(folder)
        bodies = asyncio.run(_prepare(folder, tokens, (offices, clerks), 2 * turns * openings))
        rates: dict[str, list[float]] = {WITH: [], WITHOUT: []}
        rest = iter(bodies)
        for _ in range(turns):
            for module, found in rates.items():
                batch = [next(rest) for _ in range(openings)]
                found.append(_rate(folder, tokens, module, batch))
    return [
        Row(
            measure=f"gated openings/s, {offices:,} offices, {clerks:,} clerks,"
            f" {CONNECTIONS} connections, middle of {turns}",
            ours=median(rates[WITH]),
            against=median(rates[WITHOUT]),
            other="the same without the gate",
            aim=f"ratio >= {AIM}",
            met=median(rates[WITH]) >= AIM * median(rates[WITHOUT]),
            durability=DURABILITY,
        )
    ]


def _rate(folder: Path, tokens: Tokens, module: str, bodies: Sequence[Any]) -> float:
    """Return the openings of each second, once both services are warm."""
    headers = tokens.header(ACCOUNT.bank_id)
    requests = [
        request("PUT", f"/openings/{secrets.token_hex(16)}", body, headers) for body in bodies
    ]
    warm = min(WARM, len(requests) // 2)
    with _serving(folder, tokens, module) as port:
        asyncio.run(send(port, requests[:warm], connections=1))
        timing = asyncio.run(send(port, requests[warm:], connections=CONNECTIONS))
    assert timing.statuses == {201}, timing.statuses
    return timing.per_second


@contextmanager
def _serving(folder: Path, tokens: Tokens, module: str) -> Iterator[int]:
    consent, accounts = free_port(), free_port()
    clock = str(folder / "clock")
    consent_env = {
        "CONSENT_FOLDER": str(folder / "consent"),
        "CONSENT_TOKENS": str(tokens.file),
        "CONSENT_SANDBOX": "true",
        "CONSENT_CLOCK_FILE": clock,
    }
    accounts_env = {
        "ACCOUNTS_FOLDER": str(folder / "accounts"),
        "ACCOUNTS_TOKENS": str(tokens.file),
        "ACCOUNTS_CONSENT_URL": f"http://127.0.0.1:{consent}",
        "ACCOUNTS_CONSENT_TOKEN": tokens.by_holder["accounts"],
        "ACCOUNTS_SANDBOX": "true",
        "ACCOUNTS_CLOCK_FILE": clock,
    }
    python = sys.executable
    with (
        serving([python, "-m", module, "serve"], consent, consent_env),
        serving([python, "-m", "services.accounts", "serve"], accounts, accounts_env),
    ):
        yield accounts


# -- what is there before the clock starts ------------------------------------------------------


async def _prepare(
    folder: Path, tokens: Tokens, sizes: tuple[int, int], count: int
) -> list[dict[str, Any]]:
    """Fill the directory, have so many citizens agree and confirm; returns the commands."""
    clock = SandboxClock(folder / "clock")
    settings = ConsentSettings(
        folder=folder / "consent", tokens=tokens.file, sandbox=True, clock_file=folder / "clock"
    )
    consent_main.init(settings)
    accounts_main.init(AccountsSettings(folder=folder / "accounts"))
    parts = consent_main.create_parts(settings)
    places = _directory(parts, *sizes)
    signed = await _each(count, lambda at: _agree(parts, places[at * len(places) // count], clock))
    clock.move_to(clock() + Policy().confirm_after + timedelta(minutes=1))
    commands = await _each(count, lambda at: _confirm(parts, *signed[at]))
    parts.log.close()
    parts.erasure.close()
    return commands


async def _each(count: int, one: Any) -> list[Any]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def limited(at: int) -> Any:
        async with limit:
            return await one(at)

    return await asyncio.gather(*map(limited, range(count)))


def _directory(parts: Parts, offices: int, clerks: int) -> list[Place]:
    """Put offices, clerks and all that must be in force straight into the log."""
    places = [Place(f"o-{at % offices}", f"k-{at}") for at in range(clerks)]
    facts = [*_named(offices), *_staffed(places)]
    for start in range(0, len(facts), FACTS_AT_ONCE):
        some = facts[start : start + FACTS_AT_ONCE]
        parts.log.recorder.append([VOCABULARY.encode(one) for one in some])
    return places


def _named(offices: int) -> Iterator[Any]:
    bank = ACCOUNT.bank_id
    yield from [
        BankRegistered(bank_id=bank, name="Bank"),
        SiteRegistered(site_id=SITE[0], name=SITE[1], host=SITE[2]),
        ProductOffered(
            product_id=ACCOUNT.id,
            bank_id=bank,
            name=ACCOUNT.name,
            purpose=ACCOUNT.purpose,
            terms_hash=ACCOUNT.terms_hash,
        ),
    ]
    for office in (f"o-{at}" for at in range(offices)):
        yield OfficeRegistered(office_id=office, name=f"Bưu cục {office}")
        yield _right(Right.REGISTRATION, office)
        yield _right(Right.CONTRACT, office, bank_id=bank)
        yield _right(Right.PERMISSION, office, site_id=SITE[0])
        yield _right(Right.DEVICE, office, device_id="d")


def _staffed(places: Sequence[Place]) -> Iterator[Any]:
    for one in places:
        yield ClerkRegistered(clerk_id=one.clerk_id, office_id=one.office_id)
        yield _right(Right.TRAINING, one.office_id, clerk_id=one.clerk_id)


def _right(right: Right, office_id: str, **of: str) -> RightGranted:
    named = {name: of.get(name) for name in ("bank_id", "clerk_id", "site_id", "device_id")}
    return RightGranted(
        right_id=right_id(right, office_id, *of.values()),
        right=right,
        office_id=office_id,
        **named,
        valid_from=EARLIEST,
        valid_until=None,
        document_hash=None,
        granted_by="operator:bench",
    )


async def _agree(parts: Parts, place: Place, clock: SandboxClock) -> tuple[Citizen, Place, str]:
    """Have a clerk ask a citizen, who agrees, is photographed, and handed in."""
    citizen = Citizen(f"c-{secrets.token_hex(8)}", "", f"+849{secrets.randbelow(10**12):012d}")
    consent_id, who = secrets.token_hex(16), f"clerk:{place.clerk_id}"
    known_since = clock() - timedelta(days=365)
    await Registering(parts).register_citizen(citizen.id, citizen.phone, known_since)
    question = ConsentRequested(
        consent_id=consent_id,
        citizen_id=citizen.id,
        bank_id=ACCOUNT.bank_id,
        product_id=ACCOUNT.id,
        terms_hash=ACCOUNT.terms_hash,
        purpose=ACCOUNT.purpose,
        channel=Channel.COUNTER,
        office_id=place.office_id,
        site_id=SITE[0],
        clerk_id=place.clerk_id,
        asked_by=who,
        asked_at=clock(),
        decide_by=clock() + timedelta(hours=1),
    )
    await Asking(parts).ask(question)
    await Deciding(parts).show(consent_id, "vi")
    await sign(parts, consent_id, Decision.GIVEN)
    pictures = {name: secrets.token_hex(32) for name in ("document_hash", "portrait_hash")}
    taken = Taken(device_id="d", taken_at=clock(), **pictures)
    await Submitting(parts).capture(consent_id, secrets.token_hex(16), taken, who)
    await Submitting(parts).submit(consent_id, who)
    return citizen, place, consent_id


async def _confirm(parts: Parts, citizen: Citizen, place: Place, consent_id: str) -> dict[str, Any]:
    """Have a citizen confirm; returns the command to open."""
    event = await sign(parts, consent_id, Decision.CONFIRMED)
    where = {"office_id": place.office_id, "site_id": SITE[0], "clerk_id": place.clerk_id}
    return {**command(citizen, event), **where}
