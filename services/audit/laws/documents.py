"""Laws 6, 11 and 38: signed documents, each checked once, and the places in the log they name.

A log that was taken a moment later than the other may hold what that one does not yet. An account
whose signed receipt names a place behind the end of the consent log is *ahead*: what it rests on
is judged with a later export, and until then it is listed.
"""

from collections.abc import Iterator

from typing_extensions import override

from services.accounts.facts import AccountFrozen, AccountOpened, StopReceived
from services.audit.laws.cases import Case, Cases
from services.audit.laws.digests import digest_of
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.audit.laws.tokens import payload_of, read_event
from services.consent.facts import StopDelivered
from shared.contracts.consent import (
    ACCOUNTS,
    CONSENT_EVENT,
    REDEMPTION,
    STOP,
    Receipt,
    Stop,
    Unreadable,
    read_receipt,
    read_stop,
)
from shared.signing import BadToken, TrustedKeys

STOPPED_BY = {"consent_disputed": "disputed", "consent_invalidated": "invalidated"}
"""The fact of the consent log that a stop's reason stands for."""


class Documents(Group):
    """Consent events, receipts and stops."""

    def __init__(self, cases: Cases, keys: TrustedKeys) -> None:
        self._cases, self._keys = cases, keys
        self._delivered = list[tuple[str, int, int]]()
        self._stopped = dict[str, int]()
        self._unfrozen = dict[str, int]()
        self.consent_end = 0
        self.accounts_end = 0
        self.ahead = list[int]()

    @override
    def consent(self) -> Hearings:
        return {StopDelivered: self._deliver}

    @override
    def accounts(self) -> Hearings:
        return {
            AccountOpened: self._account,
            StopReceived: self._stop,
            AccountFrozen: self._frozen,
        }

    @override
    def over(self) -> Iterator[Violation]:
        for position in self._unfrozen.values():
            how = f"the account at {position} was stopped, and is not frozen"
            yield Violation(38, "accounts", (position,), how)
        for consent_id, position, said in self._delivered:
            if said <= self.accounts_end and self._stopped.get(consent_id) != said:
                how = f"the stop delivered at {position} does not lie at {said} of accounts"
                yield Violation(38, "consent", (position,), how)

    # -- 6 and 11 -------------------------------------------------------------------------------

    def _account(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        yield from self._signed(heard)
        if not self.is_ahead(heard) and not self._placed(fact):
            how = f"the receipt of the account at {heard.position} points elsewhere"
            yield Violation(11, "accounts", (heard.position,), how)
        if stop := self._stopped.get(fact.consent_id):
            how = f"opened at {heard.position}, though stopped at {stop}"
            yield Violation(38, "accounts", (heard.position, stop), how)

    def _signed(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        try:
            event = read_event(self._keys.verify(fact.consent_event, CONSENT_EVENT))
            own = digest_of(bytes(event.statement)).hex()
            receipt = read_receipt(self._keys.verify(fact.redemption_receipt, REDEMPTION))
        except (BadToken, ValueError) as bad:
            how = f"the account at {heard.position} carries a bad document: {bad}"
            yield Violation(6, "accounts", (heard.position,), how)
            return
        if receipt.position > self.consent_end:
            self.ahead.append(heard.position)
        if not own == event.statement_hash == receipt.statement_hash or (
            receipt.aud,
            receipt.redemption_id,
            receipt.consent_id,
            receipt.command_hash,
        ) != (ACCOUNTS, fact.opening_id, fact.consent_id, fact.command_hash):
            how = f"the documents of the account at {heard.position} do not meet"
            yield Violation(6, "accounts", (heard.position,), how)

    def is_ahead(self, heard: Heard) -> bool:
        """Tell whether the newest account rests on what comes after this consent log."""
        return bool(self.ahead) and self.ahead[-1] == heard.position

    def _placed(self, fact: AccountOpened) -> bool:
        receipt = _receipt(fact)
        return receipt is not None and any(
            (use.position, use.recorded_at, use.redemption_id)
            == (receipt.position, receipt.recorded_at, fact.opening_id)
            for use in self._cases.of(fact.consent_id).uses
        )

    # -- 38 -------------------------------------------------------------------------------------

    def _deliver(self, heard: Heard) -> Iterator[Violation]:
        fact: StopDelivered = heard.fact
        self._delivered.append((fact.consent_id, heard.position, fact.accounts_position))
        yield from NOTHING

    def _stop(self, heard: Heard) -> Iterator[Violation]:
        fact: StopReceived = heard.fact
        try:
            stop = read_stop(self._keys.verify(fact.stop, STOP))
        except (BadToken, Unreadable) as bad:
            how = f"the stop at {heard.position} is a bad document: {bad}"
            yield Violation(38, "accounts", (heard.position,), how)
        else:
            case = self._cases.of(fact.consent_id)
            if not _meets(fact, stop) or not (
                stop.position > self.consent_end or _lies_in(case, stop)
            ):
                how = f"the stop at {heard.position} is another, or points elsewhere"
                yield Violation(38, "accounts", (heard.position,), how)
        self._stopped.setdefault(fact.consent_id, heard.position)
        if opened := self._cases.of(fact.consent_id).opened:
            self._unfrozen[fact.consent_id] = opened

    def _frozen(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountFrozen = heard.fact
        if fact.consent_id not in self._stopped:
            how = f"frozen at {heard.position} though no stop had come"
            yield Violation(38, "accounts", (heard.position,), how)
        self._unfrozen.pop(fact.consent_id, None)


def _receipt(fact: AccountOpened) -> Receipt | None:
    """Return what a receipt says, whoever signed it."""
    try:
        return read_receipt(payload_of(fact.redemption_receipt))
    except ValueError:
        return None


def _meets(fact: StopReceived, stop: Stop) -> bool:
    return (stop.aud, stop.consent_id, stop.citizen_id, stop.bank_id, stop.reason) == (
        ACCOUNTS,
        fact.consent_id,
        fact.citizen_id,
        fact.bank_id,
        fact.reason,
    )


def _lies_in(case: Case, stop: Stop) -> bool:
    place = STOPPED_BY[stop.reason], stop.position, stop.recorded_at
    return any((one.word, one.position, one.recorded_at) == place for one in case.stopped)
