"""Everything that the consent service is made of, and what several of its files do with it."""

import logging
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from services.consent.accounts import Accounts
from services.consent.application.policies import Policies
from services.consent.codes import Codes
from services.consent.consents import Consent
from services.consent.facts import ConsentRequested
from services.consent.notices import Names, Notice, Notices, SideText, first_version
from services.consent.refusals import RefusalMarks
from services.consent.representatives import Speaker
from services.consent.separation import (
    AGREEMENTS,
    SHARERS_MAX,
    Means,
    address_mark,
    phone_mark,
)
from services.consent.sms import NotSent, SmsGateway
from services.consent.views import (
    Phone,
    phone_of,
    read_phone,
    read_phones,
    read_sharers,
    read_speaker,
)
from shared.canonical import canonical
from shared.contracts.consent import ConsentEvent, Receipt, Statement, Stop
from shared.contracts.reasons import Lang
from shared.contracts.receipts import DecisionReceipt
from shared.contracts.status_list import StatusListToken
from shared.errors import Kind, Rejection, Unavailable
from shared.ledger.erasure import Erasure
from shared.ledger.log import Log
from shared.ledger.personal import SubjectKeys
from shared.marks import Marks
from shared.passkeys import RelyingParty
from shared.signing import NoKey, Signer

LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
"""What people type for the digits of a dispute code."""

NONCE_BYTES = 16

logger = logging.getLogger(__name__)

Document = ConsentEvent | Receipt | Stop | DecisionReceipt | StatusListToken
"""What the service signs."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts, joined by `main`."""

    log: Log
    signer: Signer
    codes: Codes
    marks: Marks
    keys: SubjectKeys
    erasure: Erasure
    sms: SmsGateway
    accounts: Accounts
    notices: Notices
    policies: Policies
    party: RelyingParty
    now: Callable[[], datetime]
    public_url: str

    def link(self, consent_id: str) -> str:
        """Return the address of a citizen's page; it opens the notice and signs nothing."""
        return f"{self.public_url}/c/{self.codes.link(consent_id)}"

    def dispute_mark(self, typed: str) -> str:
        """Return the mark of a dispute code, however it was spaced or written."""
        letters = "".join(one for one in typed.upper() if one.isalnum())
        return self.marks.mark("dispute", letters.translate(LOOK_ALIKES))

    @property
    def status_lists(self) -> str:
        """Return the address of the status lists, before a list's number."""
        return f"{self.public_url}/status-lists"

    def phone_link(self, enrolment_id: str) -> str:
        """Return the address at which whoever holds the old phone keeps it; it opens nothing."""
        return f"{self.public_url}/phone/{self.codes.phone_link(enrolment_id)}"

    def witness_link(self, enrolment_id: str) -> str:
        """Return the address of a witness's own page, which they enrol on and sign from."""
        return f"{self.public_url}/w/{self.codes.witness_link(enrolment_id)}"

    def page_link(self, citizen_id: str, expires_at: datetime) -> str:
        """Return the address of everything in a citizen's name, good until then (UTC)."""
        link = self.codes.page_link(citizen_id, int(expires_at.timestamp()))
        return f"{self.public_url}/me/{link}"

    async def speaker(self, consent: Consent) -> Speaker:
        """Return who speaks for the citizen of a consent; raises `Rejection` if nobody may."""
        found = await read_speaker(self.log, requested(consent).citizen_id, self.now())
        if found is None:
            raise Rejection(Kind.CONFLICT, "representative_missing")
        return found

    def phone_mark(self, phone: Phone) -> str:
        """Return the mark by which a citizen's phone is known in the log."""
        return phone.mark or phone_mark(self.marks, phone.number)

    async def means(
        self, statement: Statement, signer_id: str, phone_id: str | None, host: str | None
    ) -> Means:
        """Return what a decision is signed with, as far as rules look at it: for an agreement."""
        if statement.decision not in AGREEMENTS:
            return Means()
        of_phone = await self.phone_means(signer_id, phone_id)
        return replace(of_phone, address_id=address_mark(self.marks, statement.consent_id, host))

    async def phone_means(self, citizen_id: str, phone_id: str | None) -> Means:
        """Return what rules look at to tell whether a phone is the citizen's own."""
        sharers = await read_sharers(self.log, phone_id) if phone_id else []
        return Means(phone_id=phone_id, citizens=sorted({citizen_id, *sharers[:SHARERS_MAX]}))

    def refusals(self, asked: ConsentRequested) -> RefusalMarks:
        """Return the marks that a refusal of this question has, or would have."""
        return RefusalMarks.of(
            self.marks, asked.consent_id, asked.citizen_id, asked.bank_id, asked.office_id
        )

    def notice(self, consent: Consent, lang: Lang, names: Names) -> Notice:
        """Return the text that the question of a consent is put with."""
        asked = requested(consent)
        return self.notices.notice(_notice_id(asked), lang, names, asked.side_purposes or ())

    def side_texts(self, consent: Consent, lang: Lang) -> tuple[SideText, ...]:
        """Return what the notice of a consent calls the side purposes that it offers."""
        asked = requested(consent)
        return self.notices.side(_notice_id(asked), lang, asked.side_purposes or ())

    async def phone(self, citizen_id: str) -> Phone:
        """Return a citizen's phone; raises `Rejection` where there is none, or once erased."""
        held = await read_phones(self.log, citizen_id)
        phone = phone_of(held, self.now())
        if phone is None:
            raise Rejection(Kind.CONFLICT, "citizen_erased" if held.erased else "phone_missing")
        return phone

    def sign(self, typ: str, payload: Document, at: datetime) -> str:
        """Return a document signed by the service; raises `Unavailable` without a valid key."""
        with _a_key():
            return self.signer.sign(typ, canonical(payload), at)

    def key_id(self, at: datetime) -> str:
        """Return the `kid` of the key that signs at an instant; raises `Unavailable`."""
        with _a_key():
            return self.signer.key_at(at).kid

    async def tell(self, phone: Phone | None, text: str) -> None:
        """Send a message that nothing hangs on; a lost one is noted, without its text.

        Whoever has no phone is sent none.
        """
        if phone is None:
            return
        try:
            await self.sms.send(phone.number, text)
        except NotSent:
            logger.warning("a message was not sent")

    async def tell_all(self, citizen_id: str, speaker: Speaker | None, text: str) -> None:
        """Tell a citizen, and whoever speaks for them, on each phone that there is once."""
        people = dict.fromkeys([citizen_id, *([speaker.citizen_id] if speaker else [])])
        phones = [await read_phone(self.log, one, self.now()) for one in people]
        for phone in {one.number: one for one in phones if one}.values():
            await self.tell(phone, text)


@contextmanager
def _a_key() -> Iterator[None]:
    try:
        yield
    except NoKey:
        logger.error("no key is valid: run init, then restart")  # noqa: TRY400 - no trace
        raise Unavailable("no_key") from None


def requested(consent: Consent) -> ConsentRequested:
    """Return the question of a consent; raises `Rejection` where nobody asked."""
    if consent.requested is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    return consent.requested


def _notice_id(asked: ConsentRequested) -> str:
    return asked.notice_id or first_version(asked.purpose)


def new_nonce() -> str:
    """Return 128 bits of chance, so that no two documents have the same digest or code."""
    return secrets.token_urlsafe(NONCE_BYTES)


def new_id() -> str:
    """Return a random UUID (version 4)."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
