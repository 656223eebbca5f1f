"""One question to one citizen, step by step, as the facts that the two services would record.

Each step makes its facts from what was recorded before it. A case can be made to break a law: a
*twist* changes, or leaves out, the facts of one kind just before they are recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from bench.history.keys import Device, digest_fast
from bench.history.world import Place, Product, WitnessAble, World
from services.accounts.facts import (
    AccountOpened,
)
from services.accounts.openings import Command
from services.consent.facts import (
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    NoticeServed,
    SignatureAsked,
    WitnessNamed,
)
from shared.contracts.consent import (
    ACCOUNTS,
    STATEMENT,
    Channel,
    Choice,
    Decision,
    Grade,
    Statement,
    Waits,
)

NOTICE = "open-account.2"
"""The text that every question is put with."""

Twist = Callable[[Any], Any]
"""Changes a fact before it is recorded; None: it is not recorded at all."""


@dataclass
class Person:
    """A citizen, with the mark of their phone, and a passkey if they have one."""

    id: str
    phone_id: str | None
    device: Device | None = None


@dataclass(frozen=True)
class Way:
    """How somebody is asked and signs."""

    channel: Channel
    grade: Grade
    known: bool = True
    """Whether what signs was the citizen's for long enough before the question."""


@dataclass
class Question:
    """A question, and what came of it so far."""

    world: World
    person: Person
    product: Product
    place: Place | None
    way: Way
    speaker: Person | None = None
    authority_id: str | None = None
    twists: Mapping[str, Twist] = field(default_factory=dict)
    stranger_signs: frozenset[str] = frozenset()
    """The types of documents that a key signs which nobody trusts."""

    consent_id: str = ""
    question: ConsentRequested | None = None
    given: ConsentGiven | None = None
    refused: ConsentRefused | None = None
    event: str = ""
    opening_id: str = ""
    opened: AccountOpened | None = None
    command: Command | None = None
    pair: tuple[WitnessAble, WitnessAble] | None = None
    places: dict[str, int] = field(default_factory=dict)
    """Where the newest fact of each kind lies."""
    receipt_changes: dict[str, Any] = field(default_factory=dict)
    refuser_named: bool = False

    def __post_init__(self) -> None:
        self.consent_id = self.world.chance.id("q")
        self.opening_id = self.world.chance.id("a")
        self.notice_hash = self.world.chance.mark()

    # -- recording ----------------------------------------------------------------------------

    def put(self, fact: Any) -> Any:
        """Record a fact in the log of consents, as its twist has it; returns it."""
        return self._put(fact, self.world.record)

    def put_in_accounts(self, fact: Any) -> Any:
        """Record a fact in the log of accounts, as its twist has it; returns it."""
        return self._put(fact, self.world.record_in_accounts)

    def _put(self, fact: Any, record: Callable[[Any], int]) -> Any:
        if twist := self.twists.get(fact.NAME):
            fact = twist(fact)
        if fact is not None:
            self.places[fact.NAME] = record(fact)
        return fact

    # -- asking -------------------------------------------------------------------------------

    @property
    def where(self) -> dict[str, Any]:
        """Return office, site and clerk; None online."""
        return {
            "office_id": self.place and self.place.office_id,
            "site_id": self.place and self.place.site_id,
            "clerk_id": self.place and self.place.clerk_id,
        }

    @property
    def who(self) -> dict[str, Any]:
        """Return whom a decision names."""
        where = {name: one for name, one in self.where.items() if name != "site_id"}
        bank_id = self.product.bank_id
        return {"consent_id": self.consent_id, "bank_id": bank_id, **where}

    def ask(self) -> None:
        """Put the question."""
        world, product, place = self.world, self.product, self.place
        by = f"clerk:{place.clerk_id}" if place else f"bank:{product.bank_id}"
        within = world.policy.decide_within(self.way.channel)
        self.question = self.put(
            ConsentRequested(
                consent_id=self.consent_id,
                citizen_id=self.person.id,
                bank_id=product.bank_id,
                product_id=product.id,
                terms_hash=product.terms_hash,
                purpose=product.purpose,
                channel=self.way.channel,
                **self.where,
                asked_by=by,
                asked_at=world.now,
                decide_by=world.now + within,
                dispute_id=world.chance.mark(),
                asked_from_id=world.chance.mark() if place else None,
                notice_id=NOTICE,
                side_purposes=product.side_purposes,
                fee_hash=product.fee_hash,
                lowest_grade=product.lowest_grade,
                policy_version=world.policy.version,
            )
        )

    def serve(self, lang: str = "vi") -> None:
        """Put the text before the citizen."""
        self.put(
            NoticeServed(
                consent_id=self.consent_id,
                notice_id=NOTICE,
                notice_lang=lang,
                notice_hash=self.notice_hash,
            )
        )

    def name_witnesses(self, pair: tuple[WitnessAble, WitnessAble]) -> None:
        """Name the two who sign."""
        self.pair = pair
        for one in pair:
            by = f"clerk:{self.place.clerk_id}" if self.place else f"bank:{self.product.bank_id}"
            fact = WitnessNamed(consent_id=self.consent_id, witness_id=one.id, named_by=by)
            self.put(fact)

    # -- deciding -----------------------------------------------------------------------------

    def press(self, decision: Decision, *, alone: str | None = None) -> SignatureAsked:
        """Fix a statement, and ask for its signature."""
        world = self.world
        statement = self._statement(decision, alone)
        agrees = decision in {Decision.GIVEN, Decision.CONFIRMED}
        signer = self.speaker or self.person
        pair = self.pair if decision is Decision.GIVEN else None
        asked: SignatureAsked = self.put(
            SignatureAsked(
                consent_id=self.consent_id,
                citizen_id=statement.citizen_id,
                challenge_id=world.chance.id("ch"),
                statement=statement,
                statement_hash=digest_fast(statement),
                asked_at=world.now,
                expires_at=world.now + world.policy.sign_within(statement.grade),
                phone_id=signer.phone_id if agrees and statement.grade is Grade.OTP else None,
                witness_ids=[one.id for one in pair] if pair else None,
                scan_hash=world.chance.mark() if pair else None,
                policy_version=world.policy.version,
            )
        )
        return asked

    def _statement(self, decision: Decision, alone: str | None) -> Statement:
        world, product, way = self.world, self.product, self.way
        waits = self._waits(decision)
        start, end = world.policy.usable(world.now, waits)
        first = self.given or self.refused
        nameless = decision is Decision.REFUSED or self.refused is not None
        spoken = self.speaker if self.authority_id and not nameless else None
        return Statement(
            typ=STATEMENT,
            statement_id=world.chance.id("st"),
            consent_id=self.consent_id,
            decision=decision,
            citizen_id=self._subject(decision),
            bank_id=product.bank_id,
            audience=[ACCOUNTS, product.bank_id],
            purpose=alone or product.purpose,
            product_id=product.id,
            terms_hash=product.terms_hash,
            notice_id=NOTICE,
            notice_lang="vi",
            notice_hash=self.notice_hash,
            channel=way.channel,
            **self.where,
            grade=self._grade(decision),
            nonce=world.chance.mark()[:32],
            issued_at=world.now,
            not_before=start,
            expires_at=end,
            supersedes=first.statement.statement_id if first else None,
            fee_hash=product.fee_hash or UNSET,
            choices=UNSET if alone else self._choices(decision),
            expressed_by=spoken.id if spoken else UNSET,
            authority_id=self.authority_id if spoken and self.authority_id else UNSET,
            waits_for=waits or UNSET,
        )

    def _waits(self, decision: Decision) -> Waits | None:
        if decision is not Decision.GIVEN:
            return None
        known = {"known_before": self.way.known, "phone_known": self.way.known}
        return self.world.policy.waits_for(self.way.grade, self.way.channel, **known)

    def _grade(self, decision: Decision) -> Grade:
        """Return how a decision is signed: who had witnesses takes back with a code."""
        return Grade.OTP if self.pair and decision is not Decision.GIVEN else self.way.grade

    def _subject(self, decision: Decision) -> str:
        """Return the citizen, or what stands for one in a refusal."""
        if self.refused:
            return self.refused.citizen_id
        if decision is Decision.REFUSED and not self.refuser_named:
            return f"r-{self.world.chance.mark()[:32]}"
        return self.person.id

    def _choices(self, decision: Decision) -> Any:
        offered = self.product.side_purposes
        if not offered:
            return UNSET
        agreed = {
            Decision.GIVEN: offered[:1],
            Decision.CONFIRMED: offered[:1],
        }.get(decision, [])
        return [Choice(purpose=one, agreed=one in agreed) for one in offered]
