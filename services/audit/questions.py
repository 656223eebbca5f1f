"""What was asked when a fact was decided, put together again from the fact and what lay before it.

What a rejection was asked for is not kept whole, and what refusals and representatives rest on is
personal: of those there is no question here.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.accounts import answers, openings, orders, stops
from services.accounts.answers import Confirm, Decline
from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozenByBank,
    AccountOpened,
    StopReceived,
)
from services.accounts.openings import Command, Judge, Record
from services.accounts.orders import Close, Freeze
from services.accounts.stops import Halt
from services.audit.history import FoundHistory
from services.consent import (
    decisions,
    directory,
    disputes,
    policies,
    redemptions,
    requests,
    rights,
    submissions,
    suspensions,
)
from services.consent.decisions import Sign
from services.consent.disputes import Dispute, Invalidate
from services.consent.facts import (
    BankRegistered,
    CitizenRegistered,
    ClerkRegistered,
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRequested,
    ConsentWithdrawn,
    IdentityCaptured,
    InvalidationProposed,
    LiftingProposed,
    NoticeServed,
    OfficeRegistered,
    OpeningSubmitted,
    PhoneEnrolled,
    PolicyProposed,
    PolicySet,
    ProductOffered,
    RightGranted,
    SignatureAsked,
    SiteRegistered,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import Act
from services.consent.policies import Approve, Propose
from services.consent.policy import Policy
from services.consent.redemptions import Redeem
from services.consent.refusals import RefusalMarks
from services.consent.requests import Ask
from services.consent.separation import SHARERS_MAX, Means
from services.consent.submissions import Capture, Submit
from services.consent.suspensions import Lift
from shared.claims import CLAIM, Claim, RequestClaimed
from shared.contracts.consent import (
    CONSENT_EVENT,
    REDEMPTION,
    STOP,
    read_consent_event,
    read_receipt,
    read_stop,
)
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about
from shared.signing import TrustedKeys

NO_MARK = "-"
"""In place of the marks of a refusal, which only the service can make: it matches none."""

Question = tuple[Verb[Any, Any], Any]
"""A rule, and what is asked of it."""


class Rejected(Exception):
    """A rule that comes before a verb says no; its reasons."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__("no: " + ", ".join(codes))


class Unaskable(Exception):
    """A fact from which what was asked cannot be put together; the text says why."""


class Before:
    """What lay in a log before a position, and what else a question is put together from."""

    def __init__(
        self, log: FoundHistory, policies_by_version: Mapping[int, Policy], keys: TrustedKeys
    ) -> None:
        self.log, self.keys = log, keys
        self._policies = policies_by_version

    def found(self, *arms: DCBQueryItem, position: int) -> list[Recorded]:
        """Return the facts before a position that match any of the arms."""
        return self.log.recorded(*arms, until=position - 1)

    def one(self, kind: type[Any], tag: str, position: int) -> Any:
        """Return the newest fact of a kind with a tag; raises `Unaskable` if there is none."""
        if found := self.found(about(tag, kinds=[kind]), position=position):
            return found[-1].fact
        raise Unaskable(f"no {kind.NAME} of {tag} lies before it")

    def policy(self, fact: Any) -> Policy:
        """Return the policy that a fact names; raises `Unaskable` for one that never held."""
        version = getattr(fact, "policy_version", 0)
        if version not in self._policies:
            raise Unaskable(f"the policy {version} that it names never held")
        return self._policies[version]


Asker = Callable[[Recorded, datetime, Before], Question]
"""Takes a fact, the instant (UTC) at which it may have been judged, and what lay before."""


# -- consent: who may ask -------------------------------------------------------------------------


def _registered(recorded: Recorded, at: datetime, before: Before) -> Question:
    return directory.REGISTER, recorded.fact


def _granted(recorded: Recorded, at: datetime, before: Before) -> Question:
    return rights.GRANT, recorded.fact


def _ordered(recorded: Recorded, at: datetime, before: Before) -> Question:
    return suspensions.ORDER, recorded.fact


def _lifting(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: LiftingProposed = recorded.fact
    ordered = _suspension(fact, before, recorded.position)
    return suspensions.LIFT, _lift(fact, ordered, fact.proposed_by, at, before.policy(fact))


def _lifted(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: SuspensionLifted = recorded.fact
    ordered, policy = _suspension(fact, before, recorded.position), before.policy(fact)
    alone = fact.approved_by == f"citizen:{ordered.citizen_id}"
    at = fact.effective_from - policy.settles_after if alone else fact.effective_from
    return suspensions.LIFT, _lift(fact, ordered, fact.approved_by, at, policy)


def _suspension(
    fact: LiftingProposed | SuspensionLifted, before: Before, position: int
) -> SuspensionOrdered:
    found: SuspensionOrdered = before.one(
        SuspensionOrdered, f"suspension:{fact.suspension_id}", position
    )
    return found


def _lift(
    fact: LiftingProposed | SuspensionLifted,
    ordered: SuspensionOrdered,
    by: str,
    at: datetime,
    policy: Policy,
) -> Lift:
    return Lift(
        suspension_id=fact.suspension_id,
        why=fact.why,
        by=by,
        at=at,
        policy=policy,
        site_id=ordered.site_id,
    )


def _proposed(recorded: Recorded, at: datetime, before: Before) -> Question:
    return policies.PROPOSE, Propose(proposal=recorded.fact, at=at)


def _approved(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: PolicySet = recorded.fact
    known = policies.Known()
    for one in before.found(*policies.boundary(), position=recorded.position):
        known = policies.evolve(known, one)
    position = known.newest(fact.version)
    if position is None:
        raise Unaskable("no proposal of it lies before it")
    return policies.APPROVE, Approve(
        version=fact.version, position=position, by=fact.approved_by, at=at
    )


# -- consent: from question to use ----------------------------------------------------------------


def _requested(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: ConsentRequested = recorded.fact
    return requests.ASK, Ask(
        question=fact,
        refusals=RefusalMarks(refuser=NO_MARK, bank=NO_MARK, office=NO_MARK),
        policy=before.policy(fact),
        explained=frozenset(fact.side_purposes or ()),
    )


def _served(recorded: Recorded, at: datetime, before: Before) -> Question:
    return decisions.SERVE, recorded.fact


def _signed(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: ConsentGiven | ConsentConfirmed | ConsentWithdrawn = recorded.fact
    statement, position = fact.statement, recorded.position
    if statement.expressed_by:
        raise Unaskable("a representative's times are personal")
    challenge: SignatureAsked = before.one(
        SignatureAsked, f"challenge:{fact.challenge_id}", position
    )
    if challenge.witness_ids:
        raise Unaskable("two witnesses signed")
    return decisions.SIGN, Sign(
        consent_id=fact.consent_id,
        citizen_id=fact.citizen_id,
        signer_id=fact.citizen_id,
        challenge_id=fact.challenge_id,
        evidence=fact.evidence,
        failure="",
        event=getattr(fact, "event", ""),
        refusals=RefusalMarks(refuser=NO_MARK, bank=NO_MARK, office=NO_MARK),
        means=_means(challenge, fact.citizen_id, before, position),
        at=at,
        policy=before.policy(fact),
    )


def _means(challenge: SignatureAsked, citizen_id: str, before: Before, position: int) -> Means:
    """Return the phone that a code went to, and who else had it by then."""
    if challenge.phone_id is None:
        return Means()
    kinds = [CitizenRegistered, PhoneEnrolled]
    found = before.found(about(f"phone:{challenge.phone_id}", kinds=kinds), position=position)
    sharers = list(dict.fromkeys(one.fact.citizen_id for one in found))[:SHARERS_MAX]
    return Means(phone_id=challenge.phone_id, citizens=list(dict.fromkeys([citizen_id, *sharers])))


def _captured(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: IdentityCaptured = recorded.fact
    return submissions.CAPTURE, Capture(
        capture_id=fact.capture_id,
        consent_id=fact.consent_id,
        act=_act(fact.consent_id, before, recorded.position),
        device_id=fact.device_id,
        document_image_id=fact.document_image_id,
        portrait_image_id=fact.portrait_image_id,
        taken_at=fact.taken_at,
        captured_by=f"clerk:{fact.clerk_id}",
        at=at,
        policy=before.policy(fact),
    )


def _submitted(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: OpeningSubmitted = recorded.fact
    act = _act(fact.consent_id, before, recorded.position)
    return submissions.SUBMIT, Submit(
        consent_id=fact.consent_id, act=act, submitted_by=f"clerk:{fact.clerk_id}", at=at
    )


def _redeemed(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: ConsentRedeemed = recorded.fact
    return redemptions.REDEEM, Redeem(
        consent_id=fact.consent_id,
        act=_act(fact.consent_id, before, recorded.position),
        redemption_id=fact.redemption_id,
        statement_hash=fact.statement_hash,
        command_hash=fact.command_hash,
        redeemed_by=fact.redeemed_by,
        at=fact.redeemed_at,
        officer_id=fact.officer_id,
    )


def _act(consent_id: str, before: Before, position: int) -> Act:
    return Act.of(before.one(ConsentRequested, f"consent:{consent_id}", position))


def _disputed(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: ConsentDisputed = recorded.fact
    policy = before.policy(fact)
    return disputes.DISPUTE, Dispute(
        consent_id=fact.consent_id,
        channel=fact.channel,
        at=fact.asking_again_from - policy.refusal_holds_for,
        policy=policy,
    )


def _invalidated(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: InvalidationProposed | ConsentInvalidated = recorded.fact
    by = fact.proposed_by if isinstance(fact, InvalidationProposed) else fact.approved_by
    return disputes.INVALIDATE, Invalidate(
        consent_id=fact.consent_id, case_id=fact.case_id, why=fact.why, by=by
    )


# -- accounts -------------------------------------------------------------------------------------


def _opened(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: AccountOpened = recorded.fact
    event = read_consent_event(before.keys.verify(fact.consent_event, CONSENT_EVENT))
    receipt = read_receipt(before.keys.verify(fact.redemption_receipt, REDEMPTION))
    command = _command(fact)
    if command.hash() != fact.command_hash:
        raise Unaskable("its command has members that this program does not know")
    judged = Judge(
        command=command,
        command_hash=fact.command_hash,
        commanded_by=fact.commanded_by,
        evidence=event,
        issuer=event.iss,
        at=receipt.recorded_at,
        signed=fact.signed,
    )
    if reasons := openings.by_itself(judged):
        raise Rejected([one.code for one in reasons])
    return openings.RECORD, Record(
        judged=judged, receipt=receipt, receipt_token=fact.redemption_receipt
    )


def _command(fact: AccountOpened) -> Command:
    """Return what the bank commanded; a member that came later is in its hash if it was said."""
    names = ("opening_id", "citizen_id", "bank_id", "product_id", "terms_hash", "purpose")
    place = ("office_id", "site_id", "clerk_id")
    later = {name: getattr(fact, name) for name in ("fee_hash", "officer_id")}
    return Command(
        **{name: getattr(fact, name) for name in (*names, *place)},
        consent=fact.consent_event,
        **{name: value for name, value in later.items() if value is not None},
    )


def _claimed(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: RequestClaimed = recorded.fact
    names = ("request_id", "claimed_by", "request_hash")
    return CLAIM, Claim(**{name: getattr(fact, name) for name in names})


def _halted(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: StopReceived = recorded.fact
    stop = read_stop(before.keys.verify(fact.stop, STOP))
    return stops.HALT, Halt(stop=stop, token=fact.stop)


def _confirmed(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: AccountConfirmed = recorded.fact
    return answers.ANSWER, Confirm(
        opening_id=fact.opening_id,
        bank_id=fact.bank_id,
        account_id=fact.account_id,
        account_end=fact.account_end,
    )


def _declined(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: AccountDeclined = recorded.fact
    return answers.ANSWER, Decline(
        opening_id=fact.opening_id, bank_id=fact.bank_id, reason=fact.reason, signed=fact.signed
    )


def _ordered_by_bank(recorded: Recorded, at: datetime, before: Before) -> Question:
    fact: AccountFrozenByBank | AccountClosed = recorded.fact
    kind = Freeze if isinstance(fact, AccountFrozenByBank) else Close
    return orders.ORDER, kind(
        opening_id=fact.opening_id, bank_id=fact.bank_id, reason=fact.reason, signed=fact.signed
    )


ASKERS: Mapping[str, Mapping[type[Any], Asker]] = {
    "consent": {
        BankRegistered: _registered,
        ProductOffered: _registered,
        OfficeRegistered: _registered,
        ClerkRegistered: _registered,
        SiteRegistered: _registered,
        CitizenRegistered: _registered,
        RightGranted: _granted,
        SuspensionOrdered: _ordered,
        LiftingProposed: _lifting,
        SuspensionLifted: _lifted,
        PolicyProposed: _proposed,
        PolicySet: _approved,
        ConsentRequested: _requested,
        NoticeServed: _served,
        ConsentGiven: _signed,
        ConsentConfirmed: _signed,
        ConsentWithdrawn: _signed,
        IdentityCaptured: _captured,
        OpeningSubmitted: _submitted,
        ConsentRedeemed: _redeemed,
        ConsentDisputed: _disputed,
        InvalidationProposed: _invalidated,
        ConsentInvalidated: _invalidated,
        RequestClaimed: _claimed,
    },
    "accounts": {
        AccountOpened: _opened,
        StopReceived: _halted,
        AccountConfirmed: _confirmed,
        AccountDeclined: _declined,
        AccountFrozenByBank: _ordered_by_bank,
        AccountClosed: _ordered_by_bank,
        RequestClaimed: _claimed,
    },
}
"""By kind of fact: what was asked when it was decided. What follows from one, as the freezing of an
account from a stop, is judged with it."""
