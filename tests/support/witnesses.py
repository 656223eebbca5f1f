"""Two witnesses as rules meet them: invited, enrolled, named for QUESTION, and what each signed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.consent.facts import (
    INVITATION,
    InvitationRequest,
    SignatureAsked,
    WitnessEnrolled,
    WitnessInvited,
    WitnessNamed,
)
from services.consent.witnesses import Known
from shared.contracts.consent import Decision, Grade, Waits
from shared.contracts.evidence import Passkey, PasskeySignature, Witnessing
from tests.support.given import AT
from tests.support.samples import asked, statement

PAIR = ("w1", "w2")


def passkey(name: str) -> Passkey:
    """Return a passkey by the name of its credential."""
    return Passkey(
        credential_id=name,
        public_key=f"key of {name}",
        algorithm=-7,
        sign_count=0,
        aaguid="",
        backup_eligible=False,
        backed_up=False,
        transports=[],
        rp_id="thuan.example",
        origin="https://thuan.example",
        client_data_json="",
        attestation_object="",
        challenge="",
    )


def invited(witness_id: str, **changes: Any) -> WitnessInvited:
    """Return an invitation, of the organisation and the phone that go with the name."""
    number = witness_id.removeprefix("w")
    request = InvitationRequest(
        typ=INVITATION,
        enrolment_id=f"e-{witness_id}",
        witness_id=witness_id,
        nonce="n",
        issued_at=AT,
    )
    whole = WitnessInvited(
        witness_id=witness_id,
        enrolment_id=request.enrolment_id,
        organisation_id=f"org{number}",
        phone_id=f"phone{number}",
        request=request,
        request_hash=request.hash(),
        expires_at=AT + timedelta(hours=72),
        invited_by="operator:op",
    )
    return replace(whole, **changes)


def enrolled(witness_id: str, name: str = "") -> WitnessEnrolled:
    """Return that a passkey was enrolled, with the witness's own name if no other is given."""
    own = passkey(name or f"cred-{witness_id}")
    return WitnessEnrolled(
        witness_id=witness_id, enrolment_id=f"e-{witness_id}", passkey_id=own.id, passkey=own
    )


def named(witness_id: str) -> WitnessNamed:
    """Return that somebody was named for QUESTION."""
    return WitnessNamed(consent_id="q1", witness_id=witness_id, named_by="clerk:k")


KNOWN = Known(
    witness_ids=PAIR,
    phone_ids=["phone1", "phone2"],
    passkey_ids=[enrolled(one).passkey_id for one in PAIR],
    heard_ids=["c1"],
)
WITNESSES: list[Any] = [fact(one) for one in PAIR for fact in (invited, enrolled)]
"""Both invited and enrolled."""

NAMED = [named(one) for one in PAIR]
"""Both named for QUESTION."""


def witnessing(witness_id: str, count: int = 0, name: str = "") -> Witnessing:
    """Return a witness's signature that held by itself."""
    signature = PasskeySignature(
        credential_id=name or f"cred-{witness_id}",
        public_key="",
        algorithm=-7,
        authenticator_data="",
        client_data_json="",
        signature="",
        rp_id="thuan.example",
        origin="https://thuan.example",
        sign_count=count,
        backed_up=False,
        backup_eligible=False,
    )
    return Witnessing(witness_id=witness_id, signature=signature, scan_hash=None)


def challenge(decision: Decision = Decision.GIVEN, challenge_id: str = "ch2") -> SignatureAsked:
    """Return the fact that two witnesses are asked to sign a decision."""
    signed = statement(decision, grade=Grade.WITNESSED)
    if decision is Decision.GIVEN:
        signed = replace(signed, waits_for=Waits.TIME)
    return replace(
        asked(decision, challenge_id),
        statement=signed,
        statement_hash=signed.hash(),
        expires_at=AT + timedelta(hours=2),
        witness_ids=list(PAIR),
    )
