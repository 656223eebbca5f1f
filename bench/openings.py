"""Gated openings through both real services, beside a FastAPI route that only echoes the body.

Every opening has a consent of its own, signed by its citizen before the clock starts. What is timed
is `PUT /openings/{id}`: two signatures checked, one redemption at the consent service over HTTP,
called as its client with a signed proof, two durable appends.
"""

import asyncio
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.load import Timing, request, send
from bench.processes import free_port, serving
from bench.rows import Row
from demo.cast import ACCOUNT, Citizen, Tokens, make_tokens
from demo.clients import register_clients
from demo.commands import command
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.application.asking import Asking
from services.consent.application.deciding import Deciding, Pressed
from services.consent.application.parts import Parts
from services.consent.application.registering import Registering
from services.consent.facts import (
    BankRegistered,
    ConsentRequested,
    ProductOffered,
)
from services.consent.settings import Settings as ConsentSettings
from shared.clock import system_clock
from shared.contracts.consent import Channel, Decision

WARM = 100
"""Openings before the clock starts: connections open, keys fetched, code compiled by use."""

COUNTS = {1: 600, 32: 3_000}
"""Openings timed, by number of connections."""

AIM_RATIO = 0.35
"""Of bare FastAPI's rate at 32 connections: what the roadmap asks for first."""

DURABILITY = "SQLite WAL, synchronous=FULL, both logs"


def run(counts: Mapping[int, int] = COUNTS, *, warm: int = WARM) -> list[Row]:
    """Measure so many openings at each number of connections, and return the rows."""
    with TemporaryDirectory(prefix="thuan-bench-") as folder:
        return _run(Path(folder), counts, warm)


def _run(folder: Path, counts: Mapping[int, int], warm: int) -> list[Row]:
    tokens = make_tokens(folder)
    ports = free_port(), free_port(), free_port()
    settings = _settings(folder, tokens, ports[0])
    consent_main.init(settings)
    accounts_main.init(AccountsSettings(folder=folder / "accounts"))
    commands = asyncio.run(prepare(settings, warm + sum(counts.values())))
    headers = tokens.header("so-viet")
    requests = [
        request("PUT", f"/openings/{secrets.token_hex(16)}", body, headers) for body in commands
    ]
    rows = list[Row]()
    with _servers(folder, tokens, ports):
        asyncio.run(send(ports[1], requests[:warm], connections=8))
        asyncio.run(send(ports[2], requests[:warm], connections=8))
        rest = iter(requests[warm:])
        for connections, count in counts.items():
            batch = [next(rest) for _ in range(count)]
            ours = asyncio.run(send(ports[1], batch, connections=connections))
            echo = asyncio.run(send(ports[2], batch, connections=connections))
            rows += _rows(connections, ours, echo)
    return rows


def _rows(connections: int, ours: Timing, echo: Timing) -> list[Row]:
    assert ours.statuses == echo.statuses == {201}, (ours.statuses, echo.statuses)
    at = f"{connections} connection{'s' if connections > 1 else ''}"
    ratio = ours.per_second / echo.per_second
    aim = f"ratio >= {AIM_RATIO}" if connections > 1 else ""
    shared = {"other": "bare FastAPI echo, same body", "durability": DURABILITY}
    return [
        Row(
            measure=f"gated openings/s, {at}",
            ours=ours.per_second,
            against=echo.per_second,
            aim=aim,
            met=ratio >= AIM_RATIO if aim else None,
            **shared,
        ),
        *(
            Row(
                measure=f"opening p{percent} ms, {at}",
                ours=ours.percentile_ms(percent),
                against=echo.percentile_ms(percent),
                aim="",
                met=None,
                **shared,
            )
            for percent in (50, 99)
        ),
    ]


def _settings(folder: Path, tokens: Tokens, port: int) -> ConsentSettings:
    return ConsentSettings(
        folder=folder / "consent",
        tokens=tokens.file,
        public_url=f"http://localhost:{port}",
        sandbox=True,
    )


@contextmanager
def _servers(folder: Path, tokens: Tokens, ports: tuple[int, int, int]) -> Iterator[None]:
    consent, accounts, echo = ports
    consent_env = {
        "CONSENT_FOLDER": str(folder / "consent"),
        "CONSENT_TOKENS": str(tokens.file),
        "CONSENT_SANDBOX": "true",
        "CONSENT_CLIENTS": str(register_clients(folder, ["consent", "accounts"])),
        "CONSENT_PUBLIC_URL": f"http://localhost:{consent}",
    }
    accounts_env = {
        "ACCOUNTS_FOLDER": str(folder / "accounts"),
        "ACCOUNTS_TOKENS": str(tokens.file),
        "ACCOUNTS_CONSENT_URL": f"http://127.0.0.1:{consent}",
        "ACCOUNTS_CONSENT_PUBLIC_URL": f"http://localhost:{consent}",
        "ACCOUNTS_CONSENT_CLIENT_ID": "accounts",
    }
    python = sys.executable
    with (
        serving([python, "-m", "services.consent", "serve"], consent, consent_env),
        serving([python, "-m", "services.accounts", "serve"], accounts, accounts_env),
        serving([python, "-m", "bench.echo", str(echo)], echo, {}, port_argument=False),
    ):
        yield


async def prepare(settings: ConsentSettings, count: int) -> list[dict[str, object]]:
    """Have so many citizens agree, by the service's own verbs, and return their commands."""
    parts = consent_main.create_parts(settings)
    directory = Registering(parts)
    await directory.register(BankRegistered(bank_id=ACCOUNT.bank_id, name="Bank"))
    product = ProductOffered(
        product_id=ACCOUNT.id,
        bank_id=ACCOUNT.bank_id,
        name=ACCOUNT.name,
        purpose=ACCOUNT.purpose,
        terms_hash=ACCOUNT.terms_hash,
    )
    await directory.register(product)
    limit = asyncio.Semaphore(64)

    async def one() -> dict[str, object]:
        async with limit:
            return await _agree(parts)

    commands = await asyncio.gather(*(one() for _ in range(count)))
    parts.log.close()
    parts.erasure.close()
    return list(commands)


async def _agree(parts: Parts) -> dict[str, object]:
    citizen = Citizen(f"c-{secrets.token_hex(8)}", "", f"+849{secrets.randbelow(10**12):012d}")
    consent_id = secrets.token_hex(16)
    now = system_clock()
    known_since = now - timedelta(days=365)
    await Registering(parts).register_citizen(citizen.id, citizen.phone, known_since)
    question = ConsentRequested(
        consent_id=consent_id,
        citizen_id=citizen.id,
        bank_id=ACCOUNT.bank_id,
        product_id=ACCOUNT.id,
        terms_hash=ACCOUNT.terms_hash,
        purpose=ACCOUNT.purpose,
        channel=Channel.ONLINE,
        office_id=None,
        site_id=None,
        clerk_id=None,
        asked_by=f"bank:{ACCOUNT.bank_id}",
        asked_at=now,
        decide_by=now + timedelta(hours=1),
    )
    await Asking(parts).ask(question)
    await Deciding(parts).show(consent_id, "vi")
    return command(citizen, await sign(parts, consent_id, Decision.GIVEN), clerk=None)


async def sign(parts: Parts, consent_id: str, decision: Decision) -> str | None:
    """Have a citizen sign a decision with the code; returns the signed event, once there is one."""
    deciding = Deciding(parts)
    pressed = Pressed(decision=decision, lang="vi", host=None)
    challenge_id = await deciding.ask_code(consent_id, pressed)
    view = await deciding.consent(consent_id)
    code = parts.codes.code(view.consent.challenges[challenge_id].asked.statement_hash)
    signed = await deciding.sign_with_code(consent_id, challenge_id, code, host=None)
    return signed.event
