"""Laws 16, 17 and 22: whose phone, whose name, whose word."""

import re
from collections.abc import Iterator
from sys import intern

import msgspec
from typing_extensions import override

from services.audit.laws.cases import Cases
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    ConsentConfirmed,
    ConsentGiven,
    ConsentRefused,
    PasskeyAsked,
    PasskeyEnrolled,
    PhoneEnrolled,
    RefusalWithdrawn,
    RepresentativeAuthorised,
    RepresentativeEnded,
    SignatureAsked,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
)
from shared.contracts.consent import Channel, Decision

_WORD = re.compile(r"[\w-]+")


class Citizen(msgspec.Struct, gc=False):
    """What the log says of one citizen, in marks."""

    registered: bool = True
    phones: tuple[str, ...] = ()


class People:
    """The citizens whom the log knows, and every word that stands for one."""

    def __init__(self) -> None:
        self._citizens = dict[str, Citizen]()
        self._marks = set[str]()

    def get(self, citizen_id: str) -> Citizen | None:
        """Return a citizen, None for one whom the log does not know."""
        return self._citizens.get(citizen_id)

    def add(self, citizen_id: str, phone_id: str | None) -> None:
        """Take a citizen, or another phone of theirs."""
        name = intern(citizen_id)
        citizen = self._citizens.setdefault(name, Citizen())
        citizen.registered = True
        if phone_id is not None:
            mark = intern(phone_id)
            citizen.phones = (*citizen.phones, mark)
            self._marks.add(mark)

    def mark(self, name: str) -> None:
        """Take another word that stands for a citizen."""
        self._marks.add(name)

    def named_in(self, said: str) -> bool:
        """Tell whether a text has a word that stands for a citizen."""
        words = _WORD.findall(said)
        return not (self._marks.isdisjoint(words) and self._citizens.keys().isdisjoint(words))


class PeopleLaws(Group):
    """Who signs, with whose phone, for whom."""

    def __init__(self, cases: Cases, people: People) -> None:
        self._cases, self._people = cases, people
        self._staff = dict[str, set[str]]()
        self._enrolling = dict[str, str | None]()
        self._authorities = dict[str, tuple[str, str]]()

    @override
    def consent(self) -> Hearings:
        return {
            CitizenRegistered: self._registered,
            CitizenErased: self._erased,
            PhoneEnrolled: self._enrolled,
            StaffPhoneMarked: self._marked,
            StaffPhoneUnmarked: self._unmarked,
            RepresentativeAuthorised: self._authorised,
            RepresentativeEnded: self._ended,
            PasskeyAsked: self._passkey_asked,
            PasskeyEnrolled: self._passkey_enrolled,
            ConsentGiven: self._agreed,
            ConsentConfirmed: self._agreed,
            ConsentRefused: self._unnamed,
            RefusalWithdrawn: self._unnamed,
            SignatureAsked: self._signature_asked,
        }

    # -- 16 -------------------------------------------------------------------------------------

    def _unnamed(self, heard: Heard) -> Iterator[Violation]:
        said = heard.data.decode() + " ".join(heard.tags)
        if self._people.named_in(said):
            how = f"the refusal at {heard.position} names a citizen"
            yield Violation(16, "consent", (heard.position,), how)

    def _signature_asked(self, heard: Heard) -> Iterator[Violation]:
        refuses = heard.fact.statement.decision is Decision.REFUSED
        return self._unnamed(heard) if refuses else iter(NOTHING)

    # -- 17 -------------------------------------------------------------------------------------

    def _registered(self, heard: Heard) -> Iterator[Violation]:
        fact: CitizenRegistered = heard.fact
        self._people.add(fact.citizen_id, fact.phone_id)
        yield from NOTHING

    def _erased(self, heard: Heard) -> Iterator[Violation]:
        if citizen := self._people.get(heard.fact.citizen_id):
            citizen.registered, citizen.phones = False, ()
        yield from NOTHING

    def _enrolled(self, heard: Heard) -> Iterator[Violation]:
        self._people.add(heard.fact.citizen_id, heard.fact.phone_id)
        yield from NOTHING

    def _marked(self, heard: Heard) -> Iterator[Violation]:
        self._staff.setdefault(heard.fact.phone_id, set()).add(heard.fact.clerk_id)
        yield from NOTHING

    def _unmarked(self, heard: Heard) -> Iterator[Violation]:
        self._staff.get(heard.fact.phone_id, set()).discard(heard.fact.clerk_id)
        yield from NOTHING

    def _passkey_asked(self, heard: Heard) -> Iterator[Violation]:
        self._enrolling[heard.fact.enrolment_id] = heard.fact.phone_id
        yield from NOTHING

    def _passkey_enrolled(self, heard: Heard) -> Iterator[Violation]:
        phone_id = self._enrolling.pop(heard.fact.enrolment_id, None)
        return self._with_phone(heard, phone_id, heard.fact.citizen_id)

    def _with_phone(
        self, heard: Heard, phone_id: str | None, signer_id: str
    ) -> Iterator[Violation]:
        if phone_id is None:
            return
        if self._staff.get(phone_id):
            how = f"agreed at {heard.position} with a clerk's phone"
            yield Violation(17, "consent", (heard.position,), how)
        signer = self._people.get(signer_id)
        if signer is None or phone_id not in signer.phones:
            how = f"agreed at {heard.position} with a phone that is another's"
            yield Violation(17, "consent", (heard.position,), how)

    # -- 22 -------------------------------------------------------------------------------------

    def _authorised(self, heard: Heard) -> Iterator[Violation]:
        fact: RepresentativeAuthorised = heard.fact
        self._authorities[fact.authority_id] = (fact.citizen_id, fact.representative_id)
        self._people.mark(fact.authority_id)
        yield from NOTHING

    def _ended(self, heard: Heard) -> Iterator[Violation]:
        self._authorities.pop(heard.fact.authority_id, None)
        yield from NOTHING

    def _agreed(self, heard: Heard) -> Iterator[Violation]:
        fact = heard.fact
        said = fact.statement
        code = self._cases.of(fact.consent_id).code(fact.challenge_id)
        signer_id = said.expressed_by or fact.citizen_id
        yield from self._with_phone(heard, code.phone_id if code else None, signer_id)
        if said.expressed_by:
            held = self._authorities.get(said.authority_id or "")
            rightly = held == (fact.citizen_id, said.expressed_by)
            if not rightly or said.channel is not Channel.COUNTER:
                how = f"nobody who might agreed at {heard.position}"
                yield Violation(22, "consent", (heard.position,), how)
