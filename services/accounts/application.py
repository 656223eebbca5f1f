"""What the accounts service can be asked: each method reads, performs its verbs, answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from msgspec import UNSET

from services.accounts.answers import ANSWER, Answer, Confirm, Decline
from services.accounts.consents import Consents, Denied, Unreachable
from services.accounts.facts import AccountRead
from services.accounts.lines import ACCOUNT_END_DIGITS
from services.accounts.openings import (
    JUDGE,
    RECORD,
    REJECT,
    UNREAD,
    Command,
    Judge,
    Opening,
    Record,
    Reject,
    Unread,
    by_itself,
)
from services.accounts.orders import ORDER, Order
from services.accounts.stops import HALT, Halt
from services.accounts.views import (
    list_openings,
    opening_of,
    read_attempts,
    read_looks,
    read_opening,
)
from shared import looks
from shared.contracts.consent import (
    ACCOUNTS,
    CONSENT_EVENT,
    STOP,
    ConsentEvent,
    Stop,
    Unreadable,
    read_consent_event,
    read_stop,
)
from shared.errors import Kind, Reason, Rejection, Unavailable
from shared.ledger.log import Log, Outcome
from shared.looks import Inspection, ReadFor
from shared.marks import Marks
from shared.message_signatures.requests import SignedRequest
from shared.signing import BadToken, read_compact, token_header

UNREACHABLE = Reason("consent_unreachable")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that the service is made of."""

    log: Log
    consents: Consents
    marks: Marks
    issuer: str
    now: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Who is shown openings, such as `bank:cake`, what for, and in which case of their own."""

    read_by: str
    purpose: ReadFor
    case_id: str | None = None


class Openings:
    """The accounts service behind its routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def open(
        self,
        command: Command,
        commanded_by: str,
        sent_from: str | None = None,
        signed: SignedRequest | None = None,
    ) -> dict[str, Any]:
        """Open an account if everything allows it; returns the opening, or raises `Rejection`.

        The order is: judge, redeem at the consent service, record. What a crash at each point
        leaves is said in `services/accounts/openings.py`. Whoever is rejected hears what the
        consent service has against it, too.
        """
        judged = Judge(
            command=command,
            command_hash=command.hash(),
            commanded_by=commanded_by,
            evidence=await self._evidence(command),
            issuer=self._parts.issuer,
            at=self._parts.now(),
            sent_from=sent_from,
            signed=signed or UNSET,
        )
        if by_itself(judged):
            judged = replace(judged, also=await self._also(judged))
        outcome = await self._parts.log.perform(JUDGE, judged)
        if not any(fact.opening_id == command.opening_id for _, fact in outcome.state.opened):
            outcome = await self._redeem_and_record(judged, outcome)
        if outcome.added and not outcome.state.rejected:  # there is nothing else to read of it
            return opening_of(outcome.added)
        return await self.opening(command.opening_id, commanded_by)

    async def halt(self, token: str) -> dict[str, Any]:
        """Take a stop that the consent service signed; returns where it lies, and what it froze.

        Raises `Rejection` for a document that proves nothing.
        """
        halt = Halt(stop=await self._stop(token), token=token)
        state = (await self._parts.log.perform(HALT, halt)).state
        return {"position": state.received_at, "frozen": sorted(state.frozen)}

    async def unread(self, opening_id: str, commanded_by: str) -> None:
        """Record that a command could not be read."""
        asked = Unread(opening_id=opening_id, commanded_by=commanded_by)
        await self._parts.log.perform(UNREAD, asked)

    async def confirm(self, opening_id: str, bank_id: str, number: str) -> dict[str, Any]:
        """Take the bank's account number, of which only the mark is kept; returns the opening."""
        answer = Confirm(
            opening_id=opening_id,
            bank_id=bank_id,
            account_id=self._parts.marks.mark(bank_id, number),
            account_end=number[-ACCOUNT_END_DIGITS:],
        )
        await self._parts.log.perform(ANSWER, answer)
        return await self.opening(opening_id, f"bank:{bank_id}")

    async def decline(
        self, opening_id: str, bank_id: str, reason: str, signed: SignedRequest | None = None
    ) -> dict[str, Any]:
        """Take the bank's no; returns the opening."""
        answer: Answer = Decline(
            opening_id=opening_id, bank_id=bank_id, reason=reason, signed=signed or UNSET
        )
        await self._parts.log.perform(ANSWER, answer)
        return await self.opening(opening_id, f"bank:{bank_id}")

    async def order(self, order: Order) -> dict[str, Any]:
        """Freeze or close an account of the bank's; returns the opening."""
        await self._parts.log.perform(ORDER, order)
        return await self.opening(order.opening_id, f"bank:{order.bank_id}")

    async def opening(self, opening_id: str, reader: str | None = None) -> dict[str, Any]:
        """Return an opening with its history, without what others tried under its id."""
        return await read_opening(self._parts.log, opening_id, reader)

    async def openings(self, tag: str | None, *, after: int, limit: int) -> dict[str, Any]:
        """Return the openings that carry a tag, or all, behind a cursor."""
        return await list_openings(self._parts.log, tag, after=after, limit=limit)

    async def of_citizen(
        self, citizen_id: str, by: Reading, *, after: int, limit: int
    ) -> dict[str, Any]:
        """Return the openings in a citizen's name, and who looked at them, this look included.

        For the citizen's own page, and for nobody else, it says what was tried and rejected, too.
        """
        page = await self.openings(f"citizen:{citizen_id}", after=after, limit=limit)
        await self.look(page["openings"], by)
        own, log = by.purpose is ReadFor.OWN_PAGE, self._parts.log
        attempts = await read_attempts(log, citizen_id) if own else []
        return {**page, "looks": await read_looks(log, citizen_id), "attempts": attempts}

    async def look(self, openings: Sequence[Mapping[str, Any]], by: Reading) -> None:
        """Record that openings are about to be shown; raises `Unavailable` if it cannot be.

        One that names no citizen, since its command could not be read, shows nothing of anybody.
        """
        at = self._parts.now()
        reads = [_read(one, by, at) for one in openings if one["citizen_id"]]
        await looks.record(self._parts.log, reads)

    async def inspect(self, inspection: Inspection) -> None:
        """Record what an inspector's own pages are about to show of openings.

        Raises `Rejection` for an opening that is not there, or in another's name.
        """
        at, reads = self._parts.now(), list[AccountRead]()
        for opening_id in inspection.ids:
            opening = await self.opening(opening_id)
            if opening["citizen_id"] != inspection.citizen_id:
                raise Rejection(Kind.UNKNOWN, "opening_unknown")
            by = Reading(
                read_by=inspection.read_by,
                purpose=ReadFor.SUPERVISION,
                case_id=inspection.case_id,
            )
            read = _read(opening, by, at)
            fields = list[str](inspection.fields)
            reads.append(replace(read, fields=fields, ground=inspection.ground))
        await looks.record(self._parts.log, reads)

    async def _evidence(self, command: Command) -> ConsentEvent | Reason:
        """Return the consent event if its signature holds (checks 1 and 2), else why not."""
        if not command.consent:
            return Reason("consent_missing")
        try:
            read = read_compact(command.consent)
            keys = await self._parts.consents.keys(str(read.headers().get("kid")))
            return read_consent_event(keys.check(read, CONSENT_EVENT))
        except BadToken as bad:
            return Reason(bad.code)
        except Unreadable:
            return Reason("token_malformed")
        except Unreachable:
            return UNREACHABLE

    async def _also(self, judged: Judge) -> tuple[Reason, ...]:
        """Return what the consent service has against it, nothing where it does not answer."""
        if not isinstance(judged.evidence, ConsentEvent):
            return ()
        try:
            return await self._parts.consents.validate(judged)
        except Unreachable:
            return ()

    async def _stop(self, token: str) -> Stop:
        try:
            keys = await self._parts.consents.keys(str(token_header(token).get("kid")))
            stop = read_stop(keys.verify(token, STOP))
        except BadToken as bad:
            raise Rejection(Kind.REJECTED, bad.code) from None
        except Unreadable:
            raise Rejection(Kind.MALFORMED, "token_malformed") from None
        except Unreachable:
            raise Unavailable("consent_unreachable") from None
        if (stop.iss, stop.aud) != (self._parts.issuer, ACCOUNTS):
            raise Rejection(Kind.REJECTED, "audience_differs")
        return stop

    async def _redeem_and_record(self, judged: Judge, since: Outcome[Opening]) -> Outcome[Opening]:
        """Use the consent, and record what came of it, by what judging saw if that still holds."""
        log = self._parts.log
        try:
            receipt, token = await self._parts.consents.redeem(judged)
        except Denied as no:
            return await log.perform(REJECT, Reject(judged=judged, reasons=no.reasons), since)
        except Unreachable:
            reject = Reject(judged=judged, reasons=(UNREACHABLE,))
            return await log.perform(REJECT, reject, since)
        record = Record(judged=judged, receipt=receipt, receipt_token=token)
        return await log.perform(RECORD, record, since)


def _read(opening: Mapping[str, Any], by: Reading, at: datetime) -> AccountRead:
    return AccountRead(
        look_id="",
        citizen_id=opening["citizen_id"],
        consent_id=opening["consent_id"],
        opening_id=opening["opening_id"],
        case_id=by.case_id,
        read_by=by.read_by,
        purpose=by.purpose,
        fields=looks.shown(opening),
        read_at=at,
    )
