"""Laws 18, 19 and 20: what devices signed, of citizens and of witnesses.

Each enrolment is checked once, when it comes, and each signature once. Which pages passkeys are
made for is configuration, and in no log. Whoever judges may say it; else the domain is what each
passkey was enrolled for, and an origin must be of it, as every browser sees to.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

from services.audit.laws.cases import Case, Cases
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.audit.laws.policy import Policies
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentWithdrawn,
    PasskeyEnrolled,
    PasskeyRevoked,
    PurposeWithdrawn,
    WitnessEnded,
    WitnessEnrolled,
    WitnessInvited,
)
from services.consent.witnesses import PAIR
from shared.contracts.consent import Grade
from shared.contracts.evidence import Passkey, PasskeySignature, Witnessing, passkey_id
from shared.passkeys import BadPasskey, RelyingParty

SIGNED = (ConsentGiven, ConsentConfirmed, ConsentWithdrawn, PurposeWithdrawn)
"""The facts that hold the evidence of what was signed; that of a refusal is kept apart."""


class Enrolled(msgspec.Struct, frozen=True, gc=False):
    """A passkey, whose it is and since when (UTC)."""

    owner_id: str
    since: datetime
    passkey: Passkey


class Party:
    """Whom passkeys are made for, as the judge says or as each passkey says of itself."""

    def __init__(self, said: RelyingParty | None = None) -> None:
        self._said = said

    def enrols(self, passkey: Passkey) -> bool:
        """Tell whether the bytes of a passkey are an enrolment for us."""
        try:
            self._of(passkey.rp_id, passkey.origin).check_enrolment(passkey)
        except (BadPasskey, ValueError):
            return False
        return True

    def signs(self, signature: PasskeySignature, digest: str, passkey: Passkey) -> bool:
        """Tell whether a passkey signed a digest (hexadecimal)."""
        try:
            party = self._of(passkey.rp_id, signature.origin)
            party.check(signature, bytes.fromhex(digest), passkey)
        except (BadPasskey, ValueError):
            return False
        return True

    def _of(self, rp_id: str, origin: str) -> RelyingParty:
        return self._said or _party(rp_id, origin)


@lru_cache(maxsize=256)
def _party(rp_id: str, origin: str) -> RelyingParty:
    """Return whom an origin speaks for; raises `ValueError` where it is not of the domain."""
    host = urlsplit(origin).hostname or ""
    if not (origin.startswith("android:") or host == rp_id or host.endswith(f".{rp_id}")):
        raise ValueError(f"{origin} is not of {rp_id}")
    return RelyingParty(rp_id, rp_id, (origin,))


class PasskeyLaws(Group):
    """The passkeys of citizens, and those of witnesses."""

    def __init__(self, cases: Cases, policies: Policies, party: Party) -> None:
        self._cases, self._policies, self._party = cases, policies, party
        self._enrolled = dict[str, Enrolled]()
        self._invited = dict[str, WitnessInvited]()
        self._able = dict[str, tuple[WitnessInvited, Passkey]]()

    @override
    def consent(self) -> Hearings:
        return {
            PasskeyEnrolled: self._passkey,
            PasskeyRevoked: self._revoked,
            WitnessInvited: self._invite,
            WitnessEnrolled: self._witness,
            WitnessEnded: self._ended,
            **dict.fromkeys(SIGNED, self._signed),
        }

    def _passkey(self, heard: Heard) -> Iterator[Violation]:
        fact: PasskeyEnrolled = heard.fact
        if not self._party.enrols(fact.passkey):
            how = f"the passkey enrolled at {heard.position} does not prove itself"
            yield Violation(18, "consent", (heard.position,), how)
            return
        new = Enrolled(intern(fact.citizen_id), heard.recorded_at, _slim(fact.passkey))
        self._enrolled[fact.passkey_id] = new

    def _revoked(self, heard: Heard) -> Iterator[Violation]:
        self._enrolled.pop(heard.fact.passkey_id, None)
        yield from NOTHING

    def _signed(self, heard: Heard) -> Iterator[Violation]:
        evidence = heard.fact.evidence
        if evidence is None:
            return
        if evidence.passkey:
            yield from self._by_passkey(heard, evidence.passkey)
        if heard.fact.statement.grade is Grade.WITNESSED and not self._borne_out(
            heard.fact, evidence.witnesses
        ):
            how = f"no two witnesses bore out what is at {heard.position}"
            yield Violation(20, "consent", (heard.position,), how)

    # -- 18 and 19 ------------------------------------------------------------------------------

    def _by_passkey(self, heard: Heard, signature: PasskeySignature) -> Iterator[Violation]:
        fact = heard.fact
        enrolled = self._enrolled.get(passkey_id(signature.credential_id))
        signer_id = fact.statement.expressed_by or fact.citizen_id
        if (
            enrolled is None
            or enrolled.owner_id != signer_id
            or not self._party.signs(signature, fact.statement_hash, enrolled.passkey)
        ):
            how = f"no passkey of the citizen's signed what is at {heard.position}"
            yield Violation(18, "consent", (heard.position,), how)
        if self._counts_at_once(fact) and not self._known(
            self._cases.of(fact.consent_id), fact, enrolled
        ):
            how = f"signed at {heard.position} with a passkey that was too new"
            yield Violation(19, "consent", (heard.position,), how)

    def _counts_at_once(self, fact: Any) -> bool:
        waits = isinstance(fact, ConsentGiven) and fact.statement.waits_for
        return isinstance(fact, ConsentGiven | ConsentConfirmed) and not waits

    def _known(self, case: Case, fact: Any, enrolled: Enrolled | None) -> bool:
        if enrolled is None or case.question is None:
            return False
        settles_after = self._policies.version(fact.policy_version).settles_after
        return enrolled.since <= case.question.asked_at - settles_after

    # -- 20 -------------------------------------------------------------------------------------

    def _invite(self, heard: Heard) -> Iterator[Violation]:
        self._invited[heard.fact.witness_id] = heard.fact
        yield from NOTHING

    def _witness(self, heard: Heard) -> Iterator[Violation]:
        fact: WitnessEnrolled = heard.fact
        invited = self._invited.get(fact.witness_id)
        if invited is None or not self._party.enrols(fact.passkey):
            how = f"the witness enrolled at {heard.position} was not invited, or proves nothing"
            yield Violation(20, "consent", (heard.position,), how)
            return
        self._able[fact.witness_id] = invited, _slim(fact.passkey)

    def _ended(self, heard: Heard) -> Iterator[Violation]:
        self._able.pop(heard.fact.witness_id, None)
        yield from NOTHING

    def _borne_out(self, fact: Any, both: list[Witnessing]) -> bool:
        known = [self._able[one.witness_id] for one in both if one.witness_id in self._able]
        sides = {invited.organisation_id for invited, _ in known}
        phones = {invited.phone_id for invited, _ in known}
        apart = len(both) == len(known) == len(sides) == len(phones) == PAIR
        said = fact.statement
        return (
            apart
            and sides.isdisjoint({said.office_id, said.bank_id})
            and all(
                self._party.signs(one.signature, one.statement(fact.statement_hash).hash(), passkey)
                for one, (_, passkey) in zip(both, known, strict=True)
            )
        )


def _slim(passkey: Passkey) -> Passkey:
    """Return a passkey that was checked without the bytes that only its enrolment needs."""
    return replace(passkey, client_data_json="", attestation_object="", challenge="")
