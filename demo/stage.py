"""The stage: what clerks, banks and citizens can do in the demo, each over real HTTP.

Every method plays one act, judges what came of it, and shows it.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from demo.cast import ACCOUNT, BANKS, DEVICE, Citizen, Product, Tokens
from demo.commands import command, question, sitting
from demo.phone import Phone
from demo.services import Services
from demo.show import Show, Step
from shared.clock import VIETNAM, SandboxClock

ANSWERED = {201: "opened", 503: "nothing decided"}
"""What the status of `PUT /openings` means; every other is a rejection."""

REASONS_SHOWN_MAX = 4
"""How many of the service's sentences one step shows."""


def new_id() -> str:
    """Return an id as a caller makes one."""
    return uuid.uuid4().hex  # noqa: TID251 - the caller's id is chance


@dataclass
class Stage:
    """Both services, their clients, the clock, the people, and the show."""

    services: Services
    tokens: Tokens
    clock: SandboxClock
    people: list[Citizen]
    show: Show
    consent: httpx.AsyncClient
    accounts: httpx.AsyncClient
    folder: Path
    links: dict[str, str] = field(default_factory=dict)

    def at(self, hour: int, minute: int, day: int = 9) -> None:
        """Move the clock of both services to a time in August 2023, in Vietnam."""
        self.clock.move_to(datetime(2023, 8, day, hour, minute, tzinfo=VIETNAM))

    def phone(self, citizen: Citizen) -> Phone:
        """Return a citizen's phone."""
        return Phone(self.consent, citizen.phone)

    async def ask(
        self,
        citizen: Citizen,
        product: Product = ACCOUNT,
        *,
        by: str = "gdv-01",
        must: str = "",
        must_say: str = "",
        **more: Any,
    ) -> str:
        """Ask a citizen; shows the step only if the outcome is one to wait for. Returns the id."""
        consent_id = new_id()
        body = question(citizen, product, clerk=_clerk(by), **more)
        answer = await self.consent.put(
            f"/consents/{consent_id}", json=body, headers=self.tokens.header(by)
        )
        if answer.is_success:
            self.links[consent_id] = answer.json()["link"]
        if must or answer.is_error:
            tried = f"asks {citizen.name} again about: {product.name}, {BANKS[product.bank_id]}"
            self._judge(
                by, tried, "asked" if answer.is_success else "rejected", answer, must, must_say
            )
        return consent_id

    async def decide(self, citizen: Citizen, consent_id: str, decision: str, must: str) -> None:
        """Press a button on the phone's page and sign with the code that came."""
        answer = await self.phone(citizen).decide(self.links[consent_id], decision)
        standing = await self.standing(consent_id)
        outcome = {"given": "agreed", "redeemed": "agreed"}.get(standing, standing)
        tried = {
            "confirmed": "opens the page again, alone, presses “Đúng, tôi xác nhận”, types a code",
            "given": "reads the notice on the phone, presses “Đồng ý”, types the code",
            "refused": "reads the notice on the phone, presses “Không đồng ý”, types the code",
            "withdrawn": "opens the page again, presses “Rút lại sự đồng ý”, types the code",
        }[decision]
        self._judge(citizen.name, tried, outcome, answer, must, "", said=f"signed, as {standing}")

    async def standing(self, consent_id: str) -> str:
        """Return where a consent stands, as the regulator reads it."""
        return str((await self.read(consent_id))["standing"])

    async def read(self, consent_id: str) -> dict[str, Any]:
        """Return a consent as the regulator reads it."""
        answer = await self.consent.get(
            f"/consents/{consent_id}", headers=self.tokens.header("regulator")
        )
        document: dict[str, Any] = answer.json()
        return document

    async def agreed(self, citizen: Citizen, product: Product, *, by: str) -> str:
        """Have a bank ask online, and the citizen agree; returns the signed event."""
        consent_id = await self.ask(citizen, product, by=by)
        await self.decide(citizen, consent_id, "given", "agreed")
        return str((await self.read(consent_id))["event"])

    async def signed(self, citizen: Citizen, *, by: str = "gdv-01") -> str:
        """Have a clerk ask, and the citizen agree at the counter; returns the consent's id."""
        consent_id = await self.ask(citizen, by=by)
        await self.decide(citizen, consent_id, "given", "waiting")
        return consent_id

    async def photographed(
        self,
        citizen: Citizen,
        consent_id: str,
        *,
        tried: str,
        by: str = "gdv-01",
        device: str = DEVICE,
        must: str = "recorded",
        must_say: str = "",
    ) -> None:
        """Have a clerk say that a citizen and their card were photographed."""
        answer = await self.consent.put(
            f"/consents/{consent_id}/captures/{new_id()}",
            json=sitting(self.clock(), device),
            headers=self.tokens.header(by),
        )
        outcome = "recorded" if answer.is_success else "rejected"
        said = f"with a device of the office's own; of {citizen.name} the log has no picture"
        self._judge(by, tried, outcome, answer, must, must_say, said=said)

    async def handed_in(self, citizen: Citizen, consent_id: str, *, by: str = "gdv-01") -> None:
        """Have a clerk photograph who agreed, and hand it in to the bank; shows the second."""
        headers = self.tokens.header(by)
        path = f"/consents/{consent_id}"
        body = sitting(self.clock())
        first = await self.consent.put(f"{path}/captures/{new_id()}", json=body, headers=headers)
        answer = await self.consent.put(f"{path}/submission", headers=headers)
        outcome = "handed in" if first.is_success and answer.is_success else "rejected"
        tried = f"photographs {citizen.name}, and hands it in to the bank"
        self._judge(by, tried, outcome, answer, "handed in", said="nothing is open yet")

    async def confirmed(self, citizen: Citizen, consent_id: str) -> str:
        """Have a citizen confirm, away from the counter; returns the signed event."""
        await self.decide(citizen, consent_id, "confirmed", "agreed")
        return str((await self.read(consent_id))["event"])

    async def open(
        self,
        citizen: Citizen,
        consent: str | None,
        product: Product = ACCOUNT,
        *,
        tried: str,
        by: str = "",
        clerk: str = "gdv-01",
        must: str = "opened",
        must_say: str = "",
        opening_id: str = "",
    ) -> str:
        """Send the command to open an account, as the bank if not said otherwise; returns its id.

        `clerk` is whose case it is by the command.
        """
        opening_id, by = opening_id or new_id(), by or product.bank_id
        answer = await self.put_opening(
            citizen, consent, product, by=by, clerk=clerk, opening_id=opening_id
        )
        outcome = ANSWERED.get(answer.status_code, "rejected")
        said = "allowed: the citizen's own will is there"
        self._judge(by, tried, outcome, answer, must, must_say, said=said)
        return opening_id

    async def put_opening(
        self,
        citizen: Citizen,
        consent: str | None,
        product: Product = ACCOUNT,
        *,
        by: str = "",
        clerk: str = "gdv-01",
        opening_id: str,
    ) -> httpx.Response:
        """Send the command and show nothing."""
        body = command(citizen, consent, product, clerk=clerk)
        headers = self.tokens.header(by or product.bank_id)
        return await self.accounts.put(f"/openings/{opening_id}", json=body, headers=headers)

    async def confirm(self, opening_id: str, number: str, bank: str = ACCOUNT.bank_id) -> None:
        """Have the bank confirm with its account number."""
        answer = await self.accounts.put(
            f"/openings/{opening_id}/confirmation",
            json={"account_number": number},
            headers=self.tokens.header(bank),
        )
        outcome = str(answer.json().get("standing", "rejected"))
        said = f"its account …{number[-4:]}"
        self._judge(
            BANKS[bank], "takes the opening up", outcome, answer, "confirmed", "", said=said
        )

    async def decline(self, opening_id: str, reason: str, bank: str = ACCOUNT.bank_id) -> None:
        """Have the bank decline."""
        answer = await self.accounts.put(
            f"/openings/{opening_id}/declination",
            json={"reason": reason},
            headers=self.tokens.header(bank),
        )
        outcome = str(answer.json().get("standing", "rejected"))
        self._judge(
            BANKS[bank], "looks at the opening", outcome, answer, "declined", "", said=reason
        )

    async def log(self, client: httpx.AsyncClient) -> list[dict[str, Any]]:
        """Return a service's whole log, page by page, as the regulator reads it."""
        facts, after = list[dict[str, Any]](), 0
        headers = self.tokens.header("regulator")
        while True:
            query = {"after": after, "limit": 1000}
            page = (await client.get("/log", params=query, headers=headers)).json()
            if not page["facts"]:
                return facts
            facts += page["facts"]
            after = page["next"]

    def tell(self, who: str, tried: str, outcome: str, said: str, must: str) -> None:
        """Show a step that is not the answer to one request."""
        time = self.clock().astimezone(VIETNAM).strftime("%H:%M")
        self.show.step(Step(time, _name(who), tried, outcome, said, must=must))

    def _judge(
        self,
        who: str,
        tried: str,
        outcome: str,
        answer: httpx.Response,
        must: str,
        must_say: str = "",
        *,
        said: str = "",
    ) -> None:
        time = self.clock().astimezone(VIETNAM).strftime("%H:%M")
        codes = _codes(answer)
        self.show.step(
            Step(
                time,
                _name(who),
                tried,
                outcome,
                _sentences(answer) or said,
                codes=codes,
                must=must,
                must_say=must_say,
            )
        )


def _clerk(holder: str) -> str | None:
    return holder if holder.startswith("gdv") else None


def _name(who: str) -> str:
    return f"Clerk {who}" if who.startswith("gdv") else BANKS.get(who, who)


def _reasons(answer: httpx.Response) -> list[dict[str, Any]]:
    if "problem+json" not in answer.headers.get("content-type", ""):
        return []
    reasons: list[dict[str, Any]] = answer.json().get("reasons", [])
    return reasons


def _codes(answer: httpx.Response) -> tuple[str, ...]:
    return tuple(reason["code"] for reason in _reasons(answer))


def _sentences(answer: httpx.Response) -> str:
    said = [f"{reason['en']} ({reason['code']})" for reason in _reasons(answer)]
    more = len(said) - REASONS_SHOWN_MAX
    shown = " ".join(said[:REASONS_SHOWN_MAX])
    return f"{shown} And {more} more reasons." if more > 0 else shown
