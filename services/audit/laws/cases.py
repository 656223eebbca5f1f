"""What the laws hold of each consent: its question, its decision, its use, as few bytes as can be.

Facts are folded in here behind the laws that hear them, so that a law always sees what was so
before. A history of a million facts has some hundred thousand consents, all held at once: ids that
many share are held once, digests are bytes, and what was decided forgets the codes it needed.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from sys import intern
from typing import Any

import msgspec
from typing_extensions import override

from services.accounts.facts import AccountOpened
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.consent.facts import (
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    IdentityCaptured,
    NoticeServed,
    OpeningSubmitted,
    SignatureAsked,
    WitnessNamed,
)
from services.consent.gate import Act
from shared.contracts.consent import Channel, Statement, Waits

ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""The time of what was used: it is not looked at any more."""

MARK_BYTES = 16
"""Of a keyed mark: enough to tell any two apart, and half the memory."""

Text = tuple[str, str, str]
"""A notice by its id, its language and its digest."""


class Question(msgspec.Struct, frozen=True, gc=False):
    """What was asked of whom, where, by whom, and where that lies."""

    position: int
    citizen_id: str
    bank_id: str
    product_id: str
    terms_hash: str
    purpose: str
    channel: Channel
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    asked_at: datetime
    decide_by: datetime

    @property
    def act(self) -> Act:
        """Return what the gate is asked about."""
        return Act(
            citizen_id=self.citizen_id,
            bank_id=self.bank_id,
            office_id=self.office_id,
            clerk_id=self.clerk_id,
            site_id=self.site_id,
            channel=self.channel,
        )


class Code(msgspec.Struct, frozen=True, gc=False):
    """A code that was asked for, to sign a statement with this digest."""

    challenge_id: str
    position: int
    statement: bytes
    phone_id: str | None
    expires_at: datetime


class Agreed(msgspec.Struct, frozen=True, gc=False):
    """What a citizen agreed to, as far as an account must match it."""

    position: int
    citizen_id: str
    bank_id: str
    product_id: str
    terms_hash: str
    purpose: str
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    fee_hash: str | None
    audience: tuple[str, ...]
    statement: bytes
    waits: bool
    not_before: datetime
    expires_at: datetime


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """Where an agreement was confirmed, and the times of that."""

    position: int
    not_before: datetime
    expires_at: datetime


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """What ended a consent, and where that lies."""

    word: str
    position: int
    recorded_at: datetime


class Use(msgspec.Struct, frozen=True, gc=False):
    """A redemption, and where it lies."""

    position: int
    recorded_at: datetime
    redemption_id: str
    command: bytes


class Case(msgspec.Struct, gc=False):
    """One consent; a position is 0 where there was none."""

    consent_id: str
    question: Question | None = None
    served: tuple[tuple[Text, int], ...] = ()
    asked_first: int = 0
    codes: tuple[Code, ...] = ()
    decided: int = 0
    given: Agreed | None = None
    confirmed: Confirmed | None = None
    event: bytes = b""
    stopped: tuple[Stopped, ...] = ()
    captured: int = 0
    submitted: int = 0
    witnesses: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    opened: int = 0

    def code(self, challenge_id: str) -> Code | None:
        """Return a code that was asked for, None if there is none that was not used."""
        return next((one for one in self.codes if one.challenge_id == challenge_id), None)

    def shown(self, text: Text) -> int:
        """Return where a text was served first, 0 if it was not."""
        return next((position for one, position in self.served if one == text), 0)

    def used_at(self) -> int | None:
        """Return where it was used first, None if it was not."""
        return self.uses[0].position if self.uses else None


def text_of(said: Any) -> Text:
    """Return the notice that a fact or a statement names."""
    return said.notice_id, said.notice_lang, said.notice_hash


def as_bytes(hexadecimal: str) -> bytes:
    """Return a digest as bytes: half the memory of its digits, and equal where those are."""
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        return hexadecimal.encode()


def mark_of(token: str) -> bytes:
    """Return what a long document is known again by: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(token.encode()).digest()[:16]


class Cases(Group):
    """Every consent by its id."""

    def __init__(self) -> None:
        self._cases = dict[str, Case]()
        self._texts = dict[Text, Text]()
        self._audiences = dict[tuple[str, ...], tuple[str, ...]]()

    def of(self, consent_id: str) -> Case:
        """Return what is known of a consent."""
        case = self._cases.get(consent_id)
        if case is None:
            case = self._cases[consent_id] = Case(consent_id)
        return case

    def all(self) -> Iterable[Case]:
        """Return every consent that was heard of."""
        return self._cases.values()

    @override
    def consent(self) -> Hearings:
        return {
            ConsentRequested: self._requested,
            NoticeServed: self._served,
            SignatureAsked: self._asked,
            ConsentGiven: self._given,
            ConsentConfirmed: self._confirmed,
            ConsentRefused: self._refused,
            ConsentWithdrawn: self._stopped,
            ConsentDisputed: self._stopped,
            ConsentInvalidated: self._stopped,
            IdentityCaptured: self._captured,
            OpeningSubmitted: self._submitted,
            WitnessNamed: self._named,
            ConsentRedeemed: self._redeemed,
        }

    @override
    def accounts(self) -> Hearings:
        return {AccountOpened: self._opened}

    def _requested(self, heard: Heard) -> Iterable[Violation]:
        fact: ConsentRequested = heard.fact
        case = self.of(fact.consent_id)
        case.question = case.question or Question(
            heard.position,
            intern(fact.citizen_id),
            intern(fact.bank_id),
            intern(fact.product_id),
            intern(fact.terms_hash),
            intern(fact.purpose),
            fact.channel,
            _interned(fact.office_id),
            _interned(fact.site_id),
            _interned(fact.clerk_id),
            fact.asked_at,
            fact.decide_by,
        )
        return NOTHING

    def _served(self, heard: Heard) -> Iterable[Violation]:
        case, text = self.of(heard.fact.consent_id), text_of(heard.fact)
        if not case.shown(text):
            same = self._texts.setdefault(text, text)
            case.served = (*case.served, (same, heard.position))
        return NOTHING

    def _asked(self, heard: Heard) -> Iterable[Violation]:
        fact: SignatureAsked = heard.fact
        case = self.of(fact.consent_id)
        phone_id = _interned(fact.phone_id)
        statement = as_bytes(fact.statement_hash)
        code = Code(fact.challenge_id, heard.position, statement, phone_id, fact.expires_at)
        case.codes = (*case.codes, code)
        case.asked_first = case.asked_first or heard.position
        return NOTHING

    def _given(self, heard: Heard) -> Iterable[Violation]:
        fact: ConsentGiven = heard.fact
        case = self.of(fact.consent_id)
        case.decided = case.decided or heard.position
        case.given = self._agreed(heard.position, fact.statement, fact.statement_hash)
        case.event = mark_of(fact.event)
        _forget(case, fact.challenge_id)
        return NOTHING

    def _agreed(self, position: int, said: Statement, statement_hash: str) -> Agreed:
        audience = tuple(said.audience)
        return Agreed(
            position,
            intern(said.citizen_id),
            intern(said.bank_id),
            intern(said.product_id),
            intern(said.terms_hash),
            intern(said.purpose),
            _interned(said.office_id),
            _interned(said.clerk_id),
            _interned(said.site_id),
            intern(said.fee_hash) if said.fee_hash else None,
            self._audiences.setdefault(audience, audience),
            as_bytes(statement_hash),
            said.waits_for is Waits.CONFIRMATION,
            said.not_before,
            said.expires_at,
        )

    def _confirmed(self, heard: Heard) -> Iterable[Violation]:
        fact: ConsentConfirmed = heard.fact
        case, said = self.of(fact.consent_id), fact.statement
        case.confirmed = Confirmed(heard.position, said.not_before, said.expires_at)
        case.event = mark_of(fact.event)
        _forget(case, fact.challenge_id)
        return NOTHING

    def _refused(self, heard: Heard) -> Iterable[Violation]:
        case = self.of(heard.fact.consent_id)
        case.decided = case.decided or heard.position
        _forget(case, heard.fact.challenge_id)
        return NOTHING

    def _stopped(self, heard: Heard) -> Iterable[Violation]:
        case, word = self.of(heard.fact.consent_id), heard.fact.NAME.split(".")[1]
        case.stopped = (*case.stopped, Stopped(word, heard.position, heard.recorded_at))
        return NOTHING

    def _captured(self, heard: Heard) -> Iterable[Violation]:
        self.of(heard.fact.consent_id).captured = heard.position
        return NOTHING

    def _submitted(self, heard: Heard) -> Iterable[Violation]:
        self.of(heard.fact.consent_id).submitted = heard.position
        return NOTHING

    def _named(self, heard: Heard) -> Iterable[Violation]:
        case = self.of(heard.fact.consent_id)
        case.witnesses = (*case.witnesses, intern(heard.fact.witness_id))
        return NOTHING

    def _redeemed(self, heard: Heard) -> Iterable[Violation]:
        fact: ConsentRedeemed = heard.fact
        case = self.of(fact.consent_id)
        command = as_bytes(fact.command_hash)
        use = Use(heard.position, heard.recorded_at, fact.redemption_id, command)
        case.uses = (*case.uses, use)
        _let_times_go(case)
        return NOTHING

    def _opened(self, heard: Heard) -> Iterable[Violation]:
        case = self.of(heard.fact.consent_id)
        case.opened = case.opened or heard.position
        return NOTHING


def _interned(name: str | None) -> str | None:
    return None if name is None else intern(name)


def _let_times_go(case: Case) -> None:
    """Let go of what only the first use is held against: a second one is wrong at any time."""
    case.confirmed = None
    if case.given:
        case.given = msgspec.structs.replace(
            case.given, waits=False, not_before=ALWAYS[0], expires_at=ALWAYS[1]
        )


def _forget(case: Case, challenge_id: str) -> None:
    """Let go of the code that was used."""
    case.codes = tuple(one for one in case.codes if one.challenge_id != challenge_id)
