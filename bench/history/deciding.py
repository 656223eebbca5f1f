"""What a signed statement makes: the decision, with its evidence and all that hangs on it."""

from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from bench.history.keys import digest_fast
from bench.history.question import Question
from bench.history.world import WitnessAble
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    PasskeyUsed,
    PurposeGiven,
    PurposeWithdrawn,
    RefusalWithdrawn,
    SignatureAsked,
    WitnessSigned,
)
from shared.contracts.consent import (
    CONSENT_EVENT,
    ConsentEvent,
    Decision,
    Grade,
    Statement,
    Waits,
)
from shared.contracts.evidence import WITNESS_STATEMENT, CodeMatch, Evidence, Witnessing, passkey_id
from shared.contracts.evidence import WitnessStatement as Witnessed


@dataclass
class Decided(Question):
    """A question that can be decided."""

    def sign(self, asked: SignatureAsked) -> None:
        """Make the decision: the code came back, or the device answered."""
        evidence, used = self._evidence(asked), None
        signer = self.speaker or self.person
        if evidence.passkey and asked.citizen_id == self.person.id:
            used = PasskeyUsed(
                citizen_id=signer.id,
                passkey_id=passkey_id(evidence.passkey.credential_id),
                sign_count=evidence.passkey.sign_count,
            )
        self.decide(asked, evidence)
        if used:
            self.put(used)

    def _evidence(self, asked: SignatureAsked) -> Evidence:
        signer = self.speaker or self.person
        if asked.statement.grade is Grade.KEY_UV and signer.device:
            signature = signer.device.sign(asked.statement_hash)
            return Evidence(grade=Grade.KEY_UV, passkey=signature)
        return Evidence(grade=Grade.OTP, code=CodeMatch(challenge_id=asked.challenge_id))

    def witness(self, asked: SignatureAsked, one: WitnessAble) -> Witnessing:
        """Let one of the two sign."""
        says = Witnessed(
            typ=WITNESS_STATEMENT,
            statement_hash=asked.statement_hash,
            witness_id=one.id,
            scan_hash=asked.scan_hash,
        )
        signature = one.device.sign(digest_fast(says))
        signed = Witnessing(witness_id=one.id, signature=signature, scan_hash=asked.scan_hash)
        self.put(
            WitnessSigned(
                consent_id=self.consent_id,
                challenge_id=asked.challenge_id,
                witness_id=one.id,
                witnessing=signed,
                policy_version=self.world.policy.version,
            )
        )
        return signed

    def decide(self, asked: SignatureAsked, evidence: Evidence) -> None:
        """Record the decision that a signed statement makes, with what hangs on it."""
        world, statement = self.world, asked.statement
        common: dict[str, Any] = {
            **self.who,
            "citizen_id": statement.citizen_id,
            "challenge_id": asked.challenge_id,
            "statement": statement,
            "statement_hash": asked.statement_hash,
            "policy_version": world.policy.version,
        }
        match statement.decision:
            case Decision.GIVEN:
                self.event = self._event(statement)
                self.given = self.put(ConsentGiven(**common, event=self.event, evidence=evidence))
                self._sides(asked)
            case Decision.CONFIRMED:
                assert self.given
                self.event = self._event(self.given.statement, statement)
                self.put(ConsentConfirmed(**common, event=self.event, evidence=evidence))
            case Decision.REFUSED:
                self._refuse(common)
            case Decision.WITHDRAWN if self.refused:
                self._take_back(common)
            case Decision.WITHDRAWN:
                self._withdraw(asked, common, evidence)

    def _event(self, agreed: Statement, confirmed: Statement | None = None) -> str:
        """Return the event to publish, nothing while the agreement waits for its confirmation."""
        if agreed.waits_for is Waits.CONFIRMATION and confirmed is None:
            return ""
        last, world = confirmed or agreed, self.world
        document = ConsentEvent(
            iss=world.issuer.name,
            aud=agreed.audience,
            sub=agreed.citizen_id,
            jti=agreed.statement_id,
            iat=int(world.now.timestamp()),
            nbf=int(last.not_before.timestamp()),
            exp=int(last.expires_at.timestamp()),
            statement=agreed,
            statement_hash=digest_fast(agreed),
            confirmation=confirmed or UNSET,
            confirmation_hash=digest_fast(confirmed) if confirmed else UNSET,
        )
        return self._token(CONSENT_EVENT, document)

    def _token(self, typ: str, document: Any) -> str:
        strange = typ in self.stranger_signs
        return self.world.issuer.sign(typ, document, self.world.now, strange=strange)

    def _sides(self, asked: SignatureAsked) -> None:
        for one in asked.statement.choices or ():
            if one.agreed:
                self.put(
                    PurposeGiven(
                        consent_id=self.consent_id,
                        citizen_id=asked.citizen_id,
                        bank_id=self.product.bank_id,
                        purpose=one.purpose,
                        statement_hash=asked.statement_hash,
                        policy_version=self.world.policy.version,
                    )
                )

    def _refuse(self, common: dict[str, Any]) -> None:
        world = self.world
        self.refused = self.put(
            ConsentRefused(
                **common,
                asking_again_from=world.now + world.policy.refusal_holds_for,
                bank_refusal_id=world.chance.mark(),
                office_refusal_id=world.chance.mark() if self.place else None,
                evidence="",
            )
        )

    def _take_back(self, common: dict[str, Any]) -> None:
        assert self.refused
        common = {
            name: one for name, one in common.items() if name not in {"office_id", "clerk_id"}
        }
        marks = ("bank_refusal_id", "office_refusal_id")
        self.put(
            RefusalWithdrawn(
                **common, **{one: getattr(self.refused, one) for one in marks}, evidence=""
            )
        )

    def _withdraw(self, asked: SignatureAsked, common: dict[str, Any], evidence: Evidence) -> None:
        used = self.places.get("consent.redeemed.1")
        self.put(ConsentWithdrawn(**common, used_at=used, evidence=evidence))
        for one in self.given.statement.choices or () if self.given else ():
            if one.agreed:
                self.put(
                    PurposeWithdrawn(
                        consent_id=self.consent_id,
                        citizen_id=asked.citizen_id,
                        bank_id=self.product.bank_id,
                        challenge_id=asked.challenge_id,
                        purpose=one.purpose,
                        statement=asked.statement,
                        statement_hash=asked.statement_hash,
                        evidence=None,
                        policy_version=self.world.policy.version,
                    )
                )
