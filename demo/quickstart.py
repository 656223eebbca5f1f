"""`./run quickstart`: a bank's first day, against `./run serve` in another terminal.

It asks a citizen, opens an account, hears of a withdrawal, freezes, and compares its books: every
call as a bank makes it. What a person does, or an operator, the sandbox lets it do as well.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import ECKey

from demo.bank_client import BankAuth, NoToken
from demo.cast import ACCOUNT, KNOWN_SINCE
from demo.clients import BANK_CLIENT, BANK_KEY
from demo.phone import Phone

FOLDER = Path(".data")
BANK = ACCOUNT.bank_id

WAIT_S = 10
"""Seconds that the bank waits for a decision, or for an event, before it gives up."""


@dataclass(frozen=True)
class Day:
    """What a bank has on its first day: both services, as itself and, in a sandbox, as others."""

    consent: httpx.AsyncClient
    accounts: httpx.AsyncClient
    sandbox: httpx.AsyncClient
    operator: dict[str, str]
    ahead_s: float
    """By how much the sandbox's clock was moved."""

    async def run(self) -> None:
        """Live through it."""
        citizen = await self.register()
        consent_id, link = await self.ask(citizen)
        await self.phone(citizen).decide(link, "given")
        event = await self.hear(self.consent, "consent.given.1", consent_id)
        opening_id = await self.open(citizen, consent_id)
        number = await self.confirm(opening_id)
        await self.phone(citizen).decide(link, "withdrawn")
        event = await self.hear(self.consent, "consent.withdrawn.1", consent_id)
        say("It was withdrawn after its use", f"at position {int(event['sequence'])}")
        await self.freeze(opening_id)
        await self.reconcile(number)

    async def register(self) -> "Citizen":
        """Register a citizen who can be asked: the operator's work, not a bank's."""
        citizen = Citizen(f"c-{secrets.token_hex(8)}", f"+84900{secrets.randbelow(10**6):06d}")
        body = {"phone": citizen.phone, "known_since": KNOWN_SINCE}
        done(await self.sandbox.put(f"/citizens/{citizen.id}", json=body, headers=self.operator))
        return citizen

    async def ask(self, citizen: "Citizen") -> tuple[str, str]:
        """Ask the citizen; the bank makes the id, and the link goes to the citizen's phone."""
        consent_id = secrets.token_hex(16)
        body = {"citizen_id": citizen.id, **PRODUCT}
        asked = done(await self.consent.put(f"/consents/{consent_id}", json=body))
        say("Asked a citizen", f"who can decide until {asked['decide_by']}")
        return consent_id, asked["link"]

    def phone(self, citizen: "Citizen") -> Phone:
        """Return the citizen's phone, which the sandbox holds in its hand."""
        return Phone(self.sandbox, citizen.phone)

    async def hear(self, service: httpx.AsyncClient, kind: str, subject: str) -> dict[str, Any]:
        """Read the events until one of this kind is about a consent of ours."""
        after = 0
        async with asyncio.timeout(WAIT_S):
            while True:
                params = {"after": after, "wait": 5, "limit": 100}
                page = done(await service.get("/events", params=params))
                for event in page["events"]:
                    if event["type"] == kind and event["subject"].endswith(subject):
                        say("Heard", f"{event['type']} of {event['subject']}")
                        return dict(event)
                after = page["next"]

    async def open(self, citizen: "Citizen", consent_id: str) -> str:
        """Open the account with the consent's signed event; wait until the log is sealed."""
        consent = done(await self.consent.get(f"/consents/{consent_id}"))
        opening_id = secrets.token_hex(16)
        body = {"citizen_id": citizen.id, **PRODUCT, "consent": consent["event"]}
        headers = {"Prefer": "wait=5"}
        answer = await self.accounts.put(f"/openings/{opening_id}", json=body, headers=headers)
        opened = done(answer)
        proof = "with its proof" if "proof" in opened else "not sealed yet"
        say("Opened an account", f"at position {opened['position']}, {proof}")
        say("The answer is signed", f"by accounts' key {_key_id(answer)}")
        return opening_id

    async def confirm(self, opening_id: str) -> str:
        """Tell the account's number, of which the last digits alone are kept."""
        number = f"{secrets.randbelow(10**12):012d}"
        body = {"account_number": number}
        told = done(await self.accounts.put(f"/openings/{opening_id}/confirmation", json=body))
        say("Confirmed it", f"as the one that ends in {told['account_end']}")
        return number

    async def freeze(self, opening_id: str) -> None:
        """Let nothing happen with the account any more."""
        body = {"reason": "consent_withdrawn"}
        told = done(await self.accounts.put(f"/openings/{opening_id}/freezing", json=body))
        say("Froze the account", f"which stands as {told['standing']}")

    async def reconcile(self, number: str) -> None:
        """Compare the day's books: one account is known here, another nobody consented to."""
        now = datetime.now(UTC) + timedelta(seconds=self.ahead_s)
        stranger = f"{secrets.randbelow(10**12):012d}"
        lines = ["account_number,opened_at,office_id,clerk_id"]
        lines += [f"{number},{now.isoformat()},,"]
        lines += [f"{stranger},{now.isoformat()},bd-huong-hoa,gdv-02"]
        path = f"/reconciliations/{now:%Y%m%d}-{secrets.token_hex(4)}"
        answer = await self.accounts.put(
            path,
            params={"day": f"{now:%Y-%m-%d}"},
            content="\n".join(lines).encode(),
            headers={"Content-Type": "text/csv"},
        )
        say("Compared the books", json.dumps(done(answer)["counts"]))
        for line in done(await self.accounts.get(f"{path}/lines"))["lines"]:
            say(f"Line {line['line']}", f"{line['reason']['en']} Clerk: {line.get('clerk_id')}")


@dataclass(frozen=True)
class Citizen:
    """Somebody who can be asked: a random id, and the phone that goes with it."""

    id: str
    phone: str


PRODUCT = {
    "bank_id": BANK,
    "product_id": ACCOUNT.id,
    "terms_hash": ACCOUNT.terms_hash,
    "purpose": ACCOUNT.purpose,
}


def say(what: str, how: str) -> None:
    """Print a line of the day."""
    print(f"{what}: {how}", flush=True)


def done(answer: httpx.Response) -> Any:
    """Return what an answer holds; raises `SystemExit` with every reason of a no."""
    if answer.is_error:
        raise SystemExit(f"{answer.request.method} {answer.request.url}: {answer.text}")
    return answer.json() if answer.content else None


def _key_id(answer: httpx.Response) -> str:
    """Return the key that an answer is signed with; docs/bank-api.md checks the signature, too."""
    return answer.headers["signature-input"].partition('keyid="')[2].partition('"')[0]


@asynccontextmanager
async def a_day(folder: Path, consent: str, accounts: str) -> AsyncIterator[Day]:
    """Give a bank's day at two services whose sandbox lies in a folder."""
    key = ECKey.import_key(json.loads((folder / BANK_KEY).read_bytes()))
    tokens = json.loads((folder / "bearer-tokens.json").read_bytes())
    async with httpx.AsyncClient(base_url=consent) as sandbox:
        told = done(await sandbox.get("/sandbox/clock"))["now"]
    ahead_s = datetime.fromisoformat(told).timestamp() - time.time()
    own = [
        BankAuth(service, BANK_CLIENT, key, lambda: time.time() + ahead_s)
        for service in (consent, accounts)
    ]
    async with (
        httpx.AsyncClient(base_url=consent, auth=own[0]) as at_consent,
        httpx.AsyncClient(base_url=accounts, auth=own[1]) as at_accounts,
        httpx.AsyncClient(base_url=consent) as sandbox,
    ):
        operator = {"Authorization": f"Bearer {tokens['operator']}"}
        yield Day(at_consent, at_accounts, sandbox, operator, ahead_s)


async def main() -> None:
    """Live through the day at the services that `./run serve` started."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where ./run serve keeps its data"
    )
    parser.add_argument("--consent", default="http://localhost:8001")
    parser.add_argument("--accounts", default="http://localhost:8002")
    asked = parser.parse_args()
    async with a_day(asked.folder, asked.consent, asked.accounts) as day:
        await day.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except httpx.ConnectError:
        sys.exit("No sandbox answers. Start one: ./run serve")
    except NoToken as error:
        sys.exit(f"The service gives no token. {error}")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there. Start a sandbox: ./run serve")
