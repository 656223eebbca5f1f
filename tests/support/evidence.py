"""Whether a log's facts prove that citizens signed what the log says they did.

Judged from the facts as the regulator exports them and from whom passkeys are made for, with
nothing of the services: what this finds sound, anyone can find sound, years later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from demo.integrity import Fact, instant
from shared.canonical import digest
from shared.contracts.evidence import Evidence, Passkey, Witnessing, passkey_id
from shared.passkey_answers import to_text
from shared.passkeys import BadPasskey, RelyingParty, counts_on

DECIDES = {
    "consent.given.1": "given",
    "consent.confirmed.1": "confirmed",
    "consent.withdrawn.1": "withdrawn",
    "purpose.withdrawn.1": "withdrawn",
}
"""The facts that carry their evidence in the clear, and the decision that each must hold.

A refusal names nobody, so its evidence lies beside it, for its own person.
"""

DocumentT = TypeVar("DocumentT")


class Unproved(ValueError):
    """Why a fact proves nothing."""


@dataclass
class Known:
    """What earlier facts of the log say of passkeys and challenges."""

    requests: dict[str, Fact] = field(default_factory=dict)
    challenges: dict[str, Fact] = field(default_factory=dict)
    passkeys: dict[str, tuple[str, Passkey]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    witnesses: dict[str, Passkey] = field(default_factory=dict)
    witnessed: dict[tuple[str, str], Witnessing] = field(default_factory=dict)
    """What each witness signed, by challenge and witness."""


def unproved(consent: Sequence[Fact], party: RelyingParty) -> Iterator[str]:
    """Yield a sentence for each fact of the consent log that its bytes do not bear out."""
    known = Known()
    for fact in consent:
        try:
            _follow(known, fact, party)
        except (Unproved, BadPasskey, KeyError, msgspec.ValidationError) as why:
            yield f"{fact['kind']} at {fact['position']}: {why}"


def _follow(known: Known, fact: Fact, party: RelyingParty) -> None:
    data = fact["data"]
    match fact["kind"]:
        case "passkey.asked.1" | "witness.invited.1":
            _hold(data["request_hash"] == digest(data["request"]), "another request")
            known.requests[data["enrolment_id"]] = fact
        case "passkey.enrolled.1":
            _enrol(known, data, party)
        case "witness.enrolled.1":
            _enrol_witness(known, data, party)
        case "witness.ended.1":
            known.witnesses.pop(data["witness_id"], None)
        case "witness.signed.1":
            _witness(known, data, party)
        case "passkey.revoked.1" | "staff.passkey.marked.1":
            known.passkeys.pop(data["passkey_id"], None)
        case "signature.asked.1":
            _hold(data["statement_hash"] == digest(data["statement"]), "another statement")
            known.challenges[data["challenge_id"]] = fact
        case kind if kind in DECIDES and data["evidence"]:
            _decide(known, fact, party)
        case _:
            pass


def _enrol(known: Known, data: Mapping[str, Any], party: RelyingParty) -> None:
    passkey = _exact(data["passkey"], Passkey)
    request = known.requests[data["enrolment_id"]]["data"]
    _hold(passkey.id == data["passkey_id"], "another passkey")
    _hold(request["request"]["citizen_id"] == data["citizen_id"], "another citizen")
    _hold(passkey.challenge == to_text(bytes.fromhex(request["request_hash"])), "not asked")
    party.check_enrolment(passkey)
    known.passkeys[passkey.id] = data["citizen_id"], passkey
    known.counts[passkey.id] = passkey.sign_count


def _enrol_witness(known: Known, data: Mapping[str, Any], party: RelyingParty) -> None:
    passkey = _exact(data["passkey"], Passkey)
    request = known.requests[data["enrolment_id"]]["data"]
    _hold(passkey.id == data["passkey_id"], "another passkey")
    _hold(request["request"]["witness_id"] == data["witness_id"], "another witness")
    _hold(passkey.challenge == to_text(bytes.fromhex(request["request_hash"])), "not asked")
    party.check_enrolment(passkey)
    known.witnesses[data["witness_id"]] = passkey
    known.counts[passkey.id] = passkey.sign_count


def _witness(known: Known, data: Mapping[str, Any], party: RelyingParty) -> None:
    witnessing = _exact(data["witnessing"], Witnessing)
    asked = known.challenges[data["challenge_id"]]["data"]
    passkey = known.witnesses[data["witness_id"]]
    _hold(data["witness_id"] in asked["witness_ids"], "a witness whom nobody named")
    _hold(witnessing.witness_id == data["witness_id"], "another witness")
    _hold(witnessing.scan_hash == asked["scan_hash"], "another paper")
    says = witnessing.statement(asked["statement_hash"])
    party.check(witnessing.signature, bytes.fromhex(says.hash()), passkey)
    _hold(counts_on(known.counts[passkey.id], witnessing.signature.sign_count), "a copied device")
    known.counts[passkey.id] = witnessing.signature.sign_count
    known.witnessed[data["challenge_id"], data["witness_id"]] = witnessing


def _decide(known: Known, fact: Fact, party: RelyingParty) -> None:
    data, statement = fact["data"], fact["data"]["statement"]
    evidence = _exact(data["evidence"], Evidence)
    asked = known.challenges[data["challenge_id"]]["data"]
    _hold(data["statement_hash"] == digest(statement), "another statement")
    _hold(asked["statement_hash"] == data["statement_hash"], "another challenge")
    _hold(instant(fact["recorded_at"]) < instant(asked["expires_at"]), "too late")
    _hold(statement["decision"] == DECIDES[fact["kind"]], "another decision")
    _hold(evidence.complete and evidence.grade == statement["grade"], "another grade")
    if evidence.witnesses:
        both = [known.witnessed[data["challenge_id"], one] for one in asked["witness_ids"]]
        _hold(evidence.witnesses == both, "other witnesses")
    if evidence.code:
        _hold(evidence.code.challenge_id == data["challenge_id"], "another code")
    if evidence.passkey:
        _signed(known, data, evidence, party)


def _signed(known: Known, data: Mapping[str, Any], evidence: Evidence, party: RelyingParty) -> None:
    signature = evidence.passkey
    assert signature
    name = passkey_id(signature.credential_id)
    owner, passkey = known.passkeys[name]
    _hold(owner == data["citizen_id"] == data["statement"]["citizen_id"], "another citizen")
    party.check(signature, bytes.fromhex(data["statement_hash"]), passkey)
    _hold(counts_on(known.counts[name], signature.sign_count), "a copied device")
    known.counts[name] = signature.sign_count


def _exact(data: object, shape: type[DocumentT]) -> DocumentT:
    """Return a document that says nothing that its shape does not, in other words or more."""
    document = msgspec.convert(data, shape)
    _hold(msgspec.to_builtins(document) == data, "another shape")
    return document


def _hold(so: object, otherwise: str) -> None:
    """Raise `Unproved` unless something is so."""
    if not so:
        raise Unproved(otherwise)
