"""Checks a kept receipt with nothing but what it is handed: no network, no service, no clock.

Three things, each independent of the other two: that the service signed it and it does not
contradict itself; that the log holds the decision where the receipt says; and, given a signed
status list, whether the decision still stood when that list was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from shared.canonical import digest
from shared.contracts.consent import Unreadable
from shared.contracts.receipts import (
    DECIDED_BY,
    DECISION_RECEIPT,
    DecisionReceipt,
    read_decision_receipt,
)
from shared.contracts.status_list import (
    STATUS_LIST,
    Status,
    StatusListToken,
    read_status_list,
)
from shared.contracts.status_list import TOKEN_CHARACTERS_MAX as STATUS_CHARACTERS_MAX
from shared.ledger.entries import BadEntry, decode
from shared.ledger.merkle import BadProof
from shared.ledger.notes import BadNote, Checkpoint, VerifierKey, from_base64
from shared.ledger.proofs import BadProofText, Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.verify import origin_of, trusted_keys
from shared.receipts.kept import KeptFact, KeptReceipt
from shared.signing import BadToken, TrustedKeys, token_header

KEYS_IN_FILE = (
    "checked with the keys in the file itself: this proves nothing about who made it;"
    " name the service's keys to know"
)
VKEYS_IN_FILE = (
    "the log's keys are those in the file itself: this proves nothing about whose log it is;"
    " name the log's keys to know"
)
NOT_IN_FILE = "the file has no proof from the log, so whether the log holds the decision is open"
NO_STATUS = "no status list was given, so whether the decision still stands is open"

TOKEN_WRONG = {
    "token_malformed": "is not a readable signed document",
    "token_type": "is a signed document of another kind",
    "key_unknown": "was signed with a key that is not among the keys it is checked with",
    "signature_invalid": "was changed after it was signed, or forged",
    "key_not_valid": "was signed at a time when its key was not valid",
}


class BadReceipt(Exception):
    """A receipt that does not prove what it says; `code` is stable, `how` is for people."""

    def __init__(self, code: str, how: str) -> None:
        super().__init__(f"{code}: {how}")
        self.code, self.how = code, how


@dataclass(frozen=True, kw_only=True, slots=True)
class InLog:
    """Under which signed checkpoint the decision lies, and whether the caller named its keys."""

    checkpoint: Checkpoint
    callers_keys: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a status list of that time said of the decision."""

    status: Status
    as_of: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What was checked and found right; `log` and `standing` are None where nothing was given."""

    receipt: DecisionReceipt
    callers_keys: bool
    log: InLog | None
    standing: Standing | None

    @property
    def caveats(self) -> list[str]:
        """Return in plain sentences what this check does not show."""
        said = {
            KEYS_IN_FILE: not self.callers_keys,
            VKEYS_IN_FILE: self.log is not None and not self.log.callers_keys,
            NOT_IN_FILE: self.log is None,
            NO_STATUS: self.standing is None,
        }
        return [sentence for sentence, holds in said.items() if holds]


def verify_receipt(
    document: KeptReceipt,
    trusted: TrustedKeys | None = None,
    vkeys: Sequence[VerifierKey] | None = None,
    status_token: str | None = None,
    *,
    at: datetime | None = None,
) -> Checked:
    """Return what holds of a kept receipt; raises `BadReceipt`.

    `trusted` are the service's keys and `vkeys` the log's, each from where the caller trusts; with
    None those in the file are used, and the caveats say so. `at` is when the status list is used:
    one that is over by then is not accepted.
    """
    keys = _keys_in(document) if trusted is None else trusted
    receipt = _signed(document.receipt, keys)
    return Checked(
        receipt=receipt,
        callers_keys=trusted is not None,
        log=_in_log(document, receipt, vkeys),
        standing=None if status_token is None else _standing(status_token, keys, receipt, at),
    )


# -- the receipt itself -------------------------------------------------------------------------


def _keys_in(document: KeptReceipt) -> TrustedKeys:
    try:
        return TrustedKeys.from_jwks(document.keys)
    except ValueError as error:
        raise BadReceipt("keys_malformed", "the keys in the file are no JWK set of ours") from error


def _signed(token: str, keys: TrustedKeys) -> DecisionReceipt:
    try:
        receipt = read_decision_receipt(keys.verify(token, DECISION_RECEIPT))
    except BadToken as bad:
        raise BadReceipt(bad.code, f"the receipt {TOKEN_WRONG[bad.code]}") from bad
    except Unreadable as error:
        raise BadReceipt("receipt_unreadable", f"signed, but no receipt: {error}") from error
    if receipt.statement.hash() != receipt.statement_hash:
        raise BadReceipt("statement_differs", "the statement is not the one with the digest")
    if differing := receipt.contradictions():
        raise BadReceipt("members_differ", f"{', '.join(differing)} contradict the statement")
    if receipt.public_key != token_header(token)["kid"]:
        raise BadReceipt("key_differs", "another key signed than the receipt names")
    return receipt


# -- in the log ---------------------------------------------------------------------------------


def _in_log(
    document: KeptReceipt, receipt: DecisionReceipt, vkeys: Sequence[VerifierKey] | None
) -> InLog | None:
    """Return under which checkpoint the decision lies, None if the file has no proof of it."""
    if document.fact is None or document.entry is None:
        if any((document.fact, document.entry, document.proof)):
            raise BadReceipt("log_incomplete", "of fact, entry and proof some are missing")
        return None
    entry = _entry(document.entry)
    _check_fact(_stored(document.fact, entry), receipt)
    if document.proof is None:
        return None
    keys = _vkeys_in(document) if vkeys is None else vkeys
    checkpoint = _checkpoint(document.proof, entry, receipt, keys)
    return InLog(checkpoint=checkpoint, callers_keys=vkeys is not None)


def _entry(text: str) -> bytes:
    try:
        entry = from_base64(text)
        decode(entry)
    except (BadNote, BadEntry) as error:
        raise BadReceipt("entry_malformed", f"the entry is none: {error}") from error
    return entry


def _stored(kept: KeptFact, entry: bytes) -> StoredFact:
    """Return the fact as the log stores it; raises `BadReceipt` unless it makes the entry."""
    try:
        stored = kept.stored()
    except ValueError as error:
        raise BadReceipt("fact_malformed", f"the fact is none: {error}") from error
    if stored.entry() != entry:
        raise BadReceipt("entry_differs", "the fact is not the one in the entry")
    return stored


class _Decision(msgspec.Struct):
    """What every fact that is a decision says of it."""

    statement: msgspec.Raw
    statement_hash: str


def _check_fact(fact: StoredFact, receipt: DecisionReceipt) -> None:
    if fact.position != receipt.log.position:
        raise BadReceipt("position_differs", "the fact lies at another position")
    if fact.recorded_at != receipt.log.recorded_at:
        raise BadReceipt("time_differs", "the fact was recorded at another time")
    if not fact.kind.startswith(DECIDED_BY[receipt.decision, receipt.event_state]):
        raise BadReceipt("kind_differs", f"a fact of kind {fact.kind} is not this decision")
    try:
        said = msgspec.json.decode(fact.data, type=_Decision)
    except msgspec.DecodeError as error:
        raise BadReceipt("fact_malformed", f"the fact is no decision: {error}") from error
    hashes = {said.statement_hash, digest(msgspec.json.decode(said.statement))}
    if hashes != {receipt.statement_hash}:
        raise BadReceipt("fact_differs", "the fact records another statement")


def _vkeys_in(document: KeptReceipt) -> list[VerifierKey]:
    try:
        return trusted_keys(document.vkeys)
    except BadNote as error:
        raise BadReceipt("vkeys_malformed", f"the log's keys in the file: {error}") from error


def _checkpoint(
    text: str, entry: bytes, receipt: DecisionReceipt, keys: Sequence[VerifierKey]
) -> Checkpoint:
    origin = receipt.log.origin
    try:
        proof = Proof.parse(text)
    except BadProofText as error:
        raise BadReceipt("proof_malformed", f"the proof is none: {error}") from error
    if proof.index != receipt.log.position - 1:
        raise BadReceipt("proof_of_another", f"the proof is of position {proof.index + 1}")
    try:
        if origin_of(proof.note) != origin:
            raise BadReceipt("origin_differs", f"the proof's checkpoint is not of {origin}")
        return proof.check(entry, origin, keys)
    except BadNote as error:
        raise BadReceipt("checkpoint_unsigned", f"the proof's checkpoint: {error}") from error
    except BadProof as error:
        raise BadReceipt("proof_leads_elsewhere", f"the log's tree: {error}") from error


# -- whether it still stands --------------------------------------------------------------------


def _standing(
    token: str, keys: TrustedKeys, receipt: DecisionReceipt, at: datetime | None
) -> Standing:
    try:
        payload = keys.verify(token, STATUS_LIST, characters_max=STATUS_CHARACTERS_MAX)
        said = read_status_list(payload)
    except BadToken as bad:
        raise BadReceipt(f"status_{bad.code}", f"the status list {TOKEN_WRONG[bad.code]}") from bad
    except Unreadable as error:
        raise BadReceipt("status_unreadable", f"signed, but no status list: {error}") from error
    _check_list(said, receipt, at)
    try:
        value = said.status_list.unpacked().get(receipt.status.status_list.idx)
        status = Status(value)
    except ValueError as error:
        raise BadReceipt("status_list_malformed", f"the status list: {error}") from error
    return Standing(status=status, as_of=datetime.fromtimestamp(said.iat, UTC))


def _check_list(said: StatusListToken, receipt: DecisionReceipt, at: datetime | None) -> None:
    """Raise `BadReceipt` unless the list is the receipt's, is younger, and not yet over."""
    if said.iss != receipt.iss:
        raise BadReceipt("status_issuer_differs", "the status list is another service's")
    if said.sub != receipt.status.status_list.uri:
        raise BadReceipt("status_of_others", "the status list is for other receipts")
    if said.iat < receipt.consent_timestamp:
        raise BadReceipt("status_too_old", "the status list is older than the decision")
    if at is not None and said.exp <= at.timestamp():
        raise BadReceipt("status_expired", "the status list is over; fetch a newer one")
