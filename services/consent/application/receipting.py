"""The citizen takes home a receipt of every decision, made anew from the log whenever asked for.

Nothing is kept of it: the same fact gives the same bytes, today and in years, as long as the key of
its day is ours. The citizen's own has the citizen's link in it; what others get does not.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from services.consent.application.parts import Parts
from services.consent.consents import Consent
from services.consent.notices import Names
from services.consent.views import read_consent, read_names
from shared.contracts.consent import SidePurpose, Statement
from shared.contracts.receipts import (
    DECISION_RECEIPT,
    Controller,
    DataUse,
    Decided,
    DecisionReceipt,
    Links,
    LogPlace,
    Parties,
    Signing,
    receipt_of,
)
from shared.errors import Kind, Rejection
from shared.ledger.seal import NotSealed, Seal
from shared.receipts.kept import KeptReceipt, keep_receipt

DECISIONS = ("given", "confirmed", "refused", "withdrawn", "refusal_withdrawn")
"""The facts with a receipt, as `Consent` calls them."""

NOT_ME = "not-me"
"""The page, below the public address, for whoever did not decide what a receipt says."""

ACCOUNT = DataUse(
    purpose_categories=["2 - Contracted Service"],
    pii_categories=["1 - Biographical", "2 - Contact", "Biometric", "Official ID"],
    sensitive_categories=["Biometric", "Official ID"],
)
USES = {
    "open-account.1": ACCOUNT,
    "open-account.2": ACCOUNT,
    "electricity-contract.1": DataUse(
        purpose_categories=["2 - Contracted Service"],
        pii_categories=["1 - Biographical", "2 - Contact", "Official ID"],
    ),
}
"""What data is taken, as each notice says, by Kantara's categories; a line changes as little as the
text of a notice that was served, or else a reprint would."""


SIDE_USES: dict[str, DataUse] = {
    SidePurpose.MARKETING: DataUse(pii_categories=["1 - Biographical", "2 - Contact"]),
    SidePurpose.CREDIT_SCORING: DataUse(pii_categories=["1 - Biographical", "Credit"]),
    SidePurpose.PARTNER_SHARING: DataUse(
        pii_categories=["1 - Biographical", "2 - Contact"], third_party="the partners in the terms"
    ),
}
"""The same of each side purpose, whichever notice it is offered with."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A receipt, whole: what it says, signed, with the names that a person reads.

    `others` are the same consent's other decisions, as `Consent` calls them, in order.
    """

    receipt: DecisionReceipt
    token: str
    names: Names
    others: Mapping[str, Statement]


class Receipting:
    """The receipts behind the citizen's pages and the route for machines."""

    def __init__(self, parts: Parts, seal: Seal) -> None:
        self._parts, self._seal = parts, seal

    async def own(self, consent_id: str, statement_id: str = "") -> Issued:
        """Return the citizen's receipt of a decision, by default of the newest.

        Raises `Rejection` where nothing was decided, or no such statement signed.
        """
        code = self._parts.codes.dispute(consent_id)
        return await self._issued(consent_id, statement_id, self._parts.link(consent_id), code)

    async def copy(self, consent_id: str) -> str:
        """Return the newest decision's receipt, signed, for others than the citizen.

        It has neither the citizen's link nor the code with which only they may dispute.
        """
        return (await self._issued(consent_id, "", self._parts.public_url, "")).token

    async def kept(self, consent_id: str, statement_id: str = "") -> KeptReceipt:
        """Return what the citizen keeps; its proof is there within a second of the decision."""
        issued = await self.own(consent_id, statement_id)
        position = issued.receipt.log.position
        (stored,) = await self._parts.log.stored(after=position - 1, limit=1)
        return keep_receipt(
            issued.token,
            keys=self._parts.signer.public_keys(),
            vkeys=self._seal.vkeys,
            fact=stored,
            proof=await asyncio.to_thread(self._proof, position),
        )

    async def _issued(
        self, consent_id: str, statement_id: str, withdraw_url: str, dispute_code: str
    ) -> Issued:
        view = await read_consent(self._parts.log, consent_id, self._parts.now())
        signed = _signed(view.consent)
        name = _chosen(signed, statement_id)
        names = await read_names(self._parts.log, view.consent)
        decided = self._decided(view.consent, name, names, withdraw_url, dispute_code)
        receipt = receipt_of(decided)
        return Issued(
            receipt=receipt,
            token=self._parts.sign(DECISION_RECEIPT, receipt, decided.signing.at),
            names=names,
            others={other: one for other, one in signed.items() if other != name},
        )

    def _decided(
        self, consent: Consent, name: str, names: Names, withdraw_url: str, dispute_code: str
    ) -> Decided:
        placed, said = consent.places[name], getattr(consent, name).statement
        at = placed.recorded_at
        return Decided(
            statement=said,
            place=LogPlace(origin=self._seal.origin, position=placed.position, recorded_at=at),
            parties=_parties(names),
            links=Links(
                policy="",
                withdraw=withdraw_url,
                dispute=f"{self._parts.public_url}/{NOT_ME}",
                status_lists=self._parts.status_lists,
            ),
            dispute_code=dispute_code,
            signing=Signing(issuer=self._parts.signer.issuer, key_id=self._parts.key_id(at), at=at),
            uses={**SIDE_USES, said.purpose: USES.get(said.notice_id, DataUse())},
            of_refusal=name == "refusal_withdrawn",
        )

    def _proof(self, position: int) -> str | None:
        with suppress(NotSealed):
            return self._seal.proof(position)
        return None


def _signed(consent: Consent) -> dict[str, Statement]:
    """Return the statements that were signed, in the order of the log."""
    names = [one for one in DECISIONS if one in consent.places]
    names.sort(key=lambda one: consent.places[one].position)
    facts: dict[str, Any] = {one: getattr(consent, one) for one in names}
    return {one: fact.statement for one, fact in facts.items()}


def _chosen(signed: dict[str, Statement], statement_id: str) -> str:
    if not signed:
        raise Rejection(Kind.UNKNOWN, "not_decided")
    if not statement_id:
        return list(signed)[-1]
    for name, statement in signed.items():
        if statement.statement_id == statement_id:
            return name
    raise Rejection(Kind.UNKNOWN, "receipt_unknown")


def _parties(names: Names) -> Parties:
    office = Controller(pii_controller=names.office) if names.office else None
    bank = Controller(pii_controller=names.bank)
    return Parties(bank=bank, product=names.product, office=office)
