"""What allowed what within one case: each fact with those that it rests on, or that are missing.

A fact that should rest on another, and does not, is what an inspector looks for: an account without
a use of the consent, a receipt that points elsewhere, a picture before there was an agreement. Of a
part of a log nothing is missing: it may lie in the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    StopReceived,
)
from services.audit.pages.cases import Case, Happened
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
    InvalidationProposed,
    NoticeServed,
    OpeningSubmitted,
    PurposeGiven,
    PurposeWithdrawn,
    RedemptionRejected,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
    StopDelivered,
    WitnessDissented,
    WitnessSigned,
)
from shared.contracts.consent import (
    REDEMPTION,
    STOP,
    Decision,
    Unreadable,
    read_receipt,
    read_stop,
)
from shared.signing import BadToken, TrustedKeys


@dataclass(frozen=True)
class Link:
    """A fact, and one that it rests on; None if that is missing, and `wrong` is the word for it.

    `lane` is whose act is missing. `stops` instead of allowing: the one kept the other from
    happening.
    """

    target: Happened
    source: Happened | None
    wrong: str = ""
    lane: str = ""
    stops: bool = False


Rule = Callable[["Rests", Happened], Iterator[Link]]


def links(case: Case, keys: TrustedKeys, *, whole: bool) -> list[Link]:
    """Return what rests on what, in order; `whole` says that nothing is left out of the logs."""
    rests = Rests(case, keys)
    found = (link for one in case.steps for link in rests.of(one))
    return [one for one in found if one.source or whole or one.wrong in ELSEWHERE]


ELSEWHERE = frozenset({"receipt_invalid", "receipt_elsewhere", "stop_invalid", "signed_otherwise"})
"""What is wrong whatever else there is."""


class Rests:
    """Finds what the facts of a case rest on."""

    def __init__(self, case: Case, keys: TrustedKeys) -> None:
        self._steps, self._keys = case.steps, keys

    def of(self, one: Happened) -> Iterator[Link]:
        """Yield a link for each fact that this one rests on."""
        if rule := RULES.get(type(one.fact)):
            yield from rule(self, one)

    # -- finding ------------------------------------------------------------------------------

    def before(self, one: Happened, *kinds: type[Any], **named: Any) -> Happened | None:
        """Return the newest fact before, of these kinds and with these members."""
        for each in reversed(self._steps[: self._steps.index(one)]):
            if isinstance(each.fact, kinds) and all(
                getattr(each.fact, name, None) == value for name, value in named.items()
            ):
                return each
        return None

    def link(
        self, one: Happened, wrong: str, lane: str, *kinds: type[Any], **named: Any
    ) -> Iterator[Link]:
        """Yield the link to the newest such fact, or that it is missing."""
        source = self.before(one, *kinds, **named)
        yield Link(one, source, "" if source else wrong, lane)

    def maybe(self, one: Happened, *kinds: type[Any], **named: Any) -> Iterator[Link]:
        """Yield the link to the newest such fact, if there is one."""
        if source := self.before(one, *kinds, **named):
            yield Link(one, source)

    # -- rules --------------------------------------------------------------------------------

    def asked(self, one: Happened) -> Iterator[Link]:
        """Look for the notice that was shown, or for what was said before and is changed now."""
        said = one.fact.statement
        if said.decision in {Decision.GIVEN, Decision.REFUSED}:
            shown = {"notice_id": said.notice_id, "notice_hash": said.notice_hash}
            yield from self.link(one, "no_notice", "consent", NoticeServed, **shown)
        else:
            spoken = (ConsentConfirmed, ConsentGiven, ConsentRefused)
            yield from self.link(one, "no_agreement", "citizen", *spoken)
        if said.decision is Decision.CONFIRMED:
            yield from self.maybe(one, OpeningSubmitted)

    def signed(self, one: Happened) -> Iterator[Link]:
        """Look for what asked for this signature, and for the witnesses who bore it out."""
        challenge_id = one.fact.challenge_id
        source = self.before(one, SignatureAsked, challenge_id=challenge_id)
        if source and source.fact.statement_hash != one.fact.statement_hash:
            yield Link(one, None, "signed_otherwise", "consent")
        else:
            yield Link(one, source, "" if source else "no_signature_asked", "consent")
        for each in self._steps:
            if isinstance(each.fact, WitnessSigned) and each.fact.challenge_id == challenge_id:
                yield Link(one, each)

    def used(self, one: Happened) -> Iterator[Link]:
        """Look for the agreement that was used, by its newest word."""
        given = self.before(one, ConsentGiven)
        if given and given.fact.statement_hash != one.fact.statement_hash:
            yield Link(one, None, "signed_otherwise", "citizen")
            return
        source = self.before(one, ConsentConfirmed) or given
        yield Link(one, source, "" if source else "no_agreement", "citizen")

    def opened(self, one: Happened) -> Iterator[Link]:
        """Look for the use that the account's receipt names: of its consent, for its command."""
        try:
            payload = self._keys.verify(one.fact.redemption_receipt, REDEMPTION)
            receipt = read_receipt(payload)
        except (BadToken, Unreadable):
            yield Link(one, None, "receipt_invalid", "consent")
            return
        source = next((each for each in self._steps if each.place == _at(receipt)), None)
        if source is None:
            yield Link(one, None, "no_redemption", "consent")
        elif _is_of(source, one, receipt.command_hash):
            yield Link(one, source)
        else:
            yield Link(one, None, "receipt_elsewhere", "consent")

    def stopped(self, one: Happened) -> Iterator[Link]:
        """Look for what stopped the consent, where the signed stop says that it lies."""
        try:
            stop = read_stop(self._keys.verify(one.fact.stop, STOP))
        except (BadToken, Unreadable):
            yield Link(one, None, "stop_invalid", "consent")
            return
        source = next((each for each in self._steps if each.place == _at(stop)), None)
        yield Link(one, source, "" if source else "no_stop", "consent")

    def delivered(self, one: Happened) -> Iterator[Link]:
        """Look for the stop in the other log, where it is said to have come to."""
        place = f"accounts:{one.fact.accounts_position}"
        source = next((each for each in self._steps if each.place == place), None)
        yield Link(one, source, "" if source else "no_stop", "accounts")

    def rejected(self, one: Happened) -> Iterator[Link]:
        """Look for what kept it from being used, where that is of this case."""
        for reason, kind in STOPPING.items():
            if reason in one.fact.reasons and (source := self.before(one, kind)):
                yield Link(one, source, stops=True)


STOPPING: Mapping[str, type[Any]] = {
    "consent_withdrawn": ConsentWithdrawn,
    "consent_disputed": ConsentDisputed,
    "consent_invalidated": ConsentInvalidated,
    "consent_used": ConsentRedeemed,
}
"""The reasons for which a use is rejected that are facts of the same case."""


def _on(wrong: str, lane: str, *kinds: type[Any], by: Sequence[str] = ()) -> Rule:
    """Return the rule of a fact that rests on one of some kinds, with the same members."""

    def rule(rests: Rests, one: Happened) -> Iterator[Link]:
        return rests.link(
            one, wrong, lane, *kinds, **{name: getattr(one.fact, name) for name in by}
        )

    return rule


_BY_CHALLENGE = _on("no_signature_asked", "consent", SignatureAsked, by=["challenge_id"])

RULES: Mapping[type[Any], Rule] = {
    NoticeServed: _on("no_question", "clerk", ConsentRequested),
    SignatureAsked: Rests.asked,
    SignatureFailed: _BY_CHALLENGE,
    WitnessSigned: _BY_CHALLENGE,
    WitnessDissented: _BY_CHALLENGE,
    **dict.fromkeys(
        [ConsentGiven, ConsentRefused, ConsentConfirmed, ConsentWithdrawn, RefusalWithdrawn],
        Rests.signed,
    ),
    PurposeGiven: _on("no_agreement", "citizen", ConsentGiven),
    PurposeWithdrawn: _BY_CHALLENGE,
    IdentityCaptured: _on("no_agreement", "citizen", ConsentGiven),
    OpeningSubmitted: _on("no_capture", "clerk", IdentityCaptured, by=["capture_id"]),
    ConsentRedeemed: Rests.used,
    RedemptionRejected: Rests.rejected,
    ConsentInvalidated: _on("no_proposal", "authority", InvalidationProposed),
    StopDelivered: Rests.delivered,
    AccountOpened: Rests.opened,
    AccountConfirmed: _on("no_opening", "accounts", AccountOpened, by=["opening_id"]),
    AccountDeclined: _on("no_opening", "accounts", AccountOpened, by=["opening_id"]),
    **dict.fromkeys(
        [AccountFrozenByBank, AccountClosed],
        _on("no_opening", "accounts", AccountOpened, by=["opening_id"]),
    ),
    StopReceived: Rests.stopped,
    AccountFrozen: _on("no_stop", "accounts", StopReceived, by=["consent_id"]),
}
"""What each fact rests on; what is not here rests on nothing of its case."""


def _at(document: Any) -> str:
    return f"consent:{document.position}"


def _is_of(source: Happened, opened: Happened, command_hash: str) -> bool:
    """Tell whether a use is of this account's consent and command."""
    return isinstance(source.fact, ConsentRedeemed) and (
        source.fact.consent_id,
        source.fact.command_hash,
        command_hash,
    ) == (opened.fact.consent_id, opened.fact.command_hash, opened.fact.command_hash)
