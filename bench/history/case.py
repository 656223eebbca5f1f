"""What follows an agreement: the counter's steps, the account, and whatever stops it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET

from bench.history.deciding import Decided
from bench.history.keys import digest_fast
from bench.history.signing import signed_by
from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    StopReceived,
)
from services.accounts.openings import Command
from services.consent.facts import (
    ConsentDisputed,
    ConsentInvalidated,
    ConsentRedeemed,
    DisputeChannel,
    IdentityCaptured,
    InvalidationProposed,
    OpeningSubmitted,
    StopDelivered,
    VoidFor,
)
from shared.claims import RequestClaimed
from shared.contracts.consent import (
    ACCOUNTS,
    REDEMPTION,
    STOP,
    Receipt,
    Stop,
    StopReason,
)


@dataclass
class Case(Decided):
    """A question from beginning to end."""

    _used_at: datetime | None = None
    capture_id: str = ""
    captured: Any = None
    confirmed: Any = None
    case_id: str = ""
    _stopped: tuple[StopReason, int, datetime] | None = None

    # -- at the counter -----------------------------------------------------------------------

    def capture(self) -> None:
        """Photograph the citizen and their card."""
        assert self.place
        chance = self.world.chance
        self.capture_id = chance.id("cap")
        self.captured = self.put(
            IdentityCaptured(
                **self._of_case(),
                device_id=self.place.device_id,
                document_image_id=chance.mark(),
                portrait_image_id=chance.mark(),
                taken_at=self.world.now - timedelta(seconds=5),
                policy_version=self.world.policy.version,
            )
        )

    def submit(self) -> None:
        """Hand it in."""
        assert self.given
        self.put(OpeningSubmitted(**self._of_case(), statement_hash=self.given.statement_hash))

    def _of_case(self) -> dict[str, Any]:
        named = {"citizen_id": self.person.id, "bank_id": self.product.bank_id}
        return {
            "consent_id": self.consent_id,
            "capture_id": self.capture_id,
            **named,
            **self.where,
        }

    # -- opening ------------------------------------------------------------------------------

    def send(self, **changes: Any) -> Command:
        """Let the bank say what it wants opened."""
        product = self.product
        self.command = Command(
            **{
                "opening_id": self.opening_id,
                "citizen_id": self.person.id,
                "bank_id": product.bank_id,
                "product_id": product.id,
                "terms_hash": product.terms_hash,
                "purpose": product.purpose,
                **self.where,
                "consent": self.event,
                "fee_hash": product.fee_hash or UNSET,
                "officer_id": f"officer-{self.world.chance.random.randint(1, 40)}",
                **changes,
            }
        )
        return self.command

    def use(self) -> None:
        """Use the consent for the command."""
        assert self.given
        assert self.command
        self.put(
            ConsentRedeemed(
                consent_id=self.consent_id,
                citizen_id=self.person.id,
                bank_id=self.product.bank_id,
                redemption_id=self.opening_id,
                statement_hash=self.given.statement_hash,
                command_hash=digest_fast(self.command),
                redeemed_by="service:accounts",
                redeemed_at=self.world.now,
                officer_id=self.command.officer_id or None,
            )
        )
        self._used_at = self.world.now

    def open(self) -> None:
        """Record the account, with both signed documents."""
        assert self.command
        command = self.command
        self.opened = self.put_in_accounts(
            AccountOpened(
                opening_id=command.opening_id,
                consent_id=self.consent_id,
                citizen_id=command.citizen_id,
                bank_id=command.bank_id,
                product_id=command.product_id,
                terms_hash=command.terms_hash,
                purpose=command.purpose,
                office_id=command.office_id,
                site_id=command.site_id,
                clerk_id=command.clerk_id,
                command_hash=digest_fast(command),
                commanded_by=f"bank:{command.bank_id}",
                consent_event=command.consent or "",
                redemption_receipt=self._receipt(),
                fee_hash=command.fee_hash or None,
                officer_id=command.officer_id or None,
            )
        )

    def _receipt(self) -> str:
        assert self.given
        at = self._used_at or self.world.now
        receipt = Receipt(
            iss=self.world.issuer.name,
            aud=ACCOUNTS,
            iat=int(at.timestamp()),
            redemption_id=self.opening_id,
            consent_id=self.consent_id,
            statement_hash=self.given.statement_hash,
            command_hash=digest_fast(self.command),
            position=self.places.get("consent.redeemed.1", 1),
            recorded_at=at,
        )
        return self._token(REDEMPTION, replace(receipt, **self.receipt_changes))

    def confirm(self) -> None:
        """Let the bank confirm, with its number."""
        self.confirmed = self.put_in_accounts(
            AccountConfirmed(
                opening_id=self.opening_id,
                citizen_id=self.person.id,
                bank_id=self.product.bank_id,
                account_id=self.world.chance.mark(),
                account_end=f"{self.world.chance.random.randint(0, 9999):04}",
            )
        )

    def decline(self, *, signed: bool = False) -> None:
        """Let the bank decline, and sign that if it has keys of its own."""
        bank_id, path = self.product.bank_id, f"/openings/{self.opening_id}/declination"
        said = {"reason": "identity_unclear"}
        world = self.world
        self.put_in_accounts(
            AccountDeclined(
                opening_id=self.opening_id,
                citizen_id=self.person.id,
                bank_id=bank_id,
                **said,
                signed=signed_by(world.chance, bank_id, path, said, world.now) if signed else UNSET,
            )
        )

    def order(self, kind: type[AccountFrozenByBank | AccountClosed], reason: str) -> None:
        """Let the bank freeze or close its account, and sign that."""
        bank_id, said = self.product.bank_id, {"reason": reason}
        word = "closure" if kind is AccountClosed else "freezing"
        path, world = f"/openings/{self.opening_id}/{word}", self.world
        self.put_in_accounts(
            kind(
                opening_id=self.opening_id,
                citizen_id=self.person.id,
                bank_id=bank_id,
                **said,
                signed=signed_by(world.chance, bank_id, path, said, world.now),
            )
        )

    def claim(self, by: str, request_id: str = "") -> str:
        """Record the key that a request came with; returns its digest."""
        chance = self.world.chance
        request_id = request_id or chance.mark()
        self.put(RequestClaimed(request_id=request_id, claimed_by=by, request_hash=chance.mark()))
        return request_id

    # -- stopping -----------------------------------------------------------------------------

    def dispute(self) -> None:
        """Let the citizen say that it was not them."""
        world = self.world
        self.put(
            ConsentDisputed(
                **self.who,
                citizen_id=self.person.id,
                channel=DisputeChannel.LINK,
                used_at=self.places.get("consent.redeemed.1"),
                asking_again_from=world.now + world.policy.refusal_holds_for,
                authority_told_by=world.now + world.policy.authority_told_within,
                policy_version=world.policy.version,
            )
        )
        self._stopped = (StopReason.DISPUTED, self.places["consent.disputed.1"], world.now)

    def propose_void(self) -> None:
        """Let the bank find it void."""
        self.case_id = self.world.chance.id("case")
        self.put(
            InvalidationProposed(
                consent_id=self.consent_id,
                bank_id=self.product.bank_id,
                case_id=self.case_id,
                why=VoidFor.NEVER_GIVEN,
                proposed_by=f"bank:{self.product.bank_id}",
            )
        )

    def invalidate(self) -> None:
        """Let the regulator agree."""
        self.put(
            ConsentInvalidated(
                **self.who,
                citizen_id=self.person.id,
                case_id=self.case_id,
                why=VoidFor.NEVER_GIVEN,
                proposed_by=f"bank:{self.product.bank_id}",
                approved_by="regulator:nhnn",
                used_at=self.places.get("consent.redeemed.1"),
            )
        )
        at = self.places["consent.invalidated.1"]
        self._stopped = (StopReason.INVALIDATED, at, self.world.now)

    def receive_stop(self) -> None:
        """Let accounts take the stop, and freeze what was opened."""
        assert self._stopped
        reason, position, at = self._stopped
        named = {"consent_id": self.consent_id, "citizen_id": self.person.id}
        stop = Stop(
            iss=self.world.issuer.name,
            aud=ACCOUNTS,
            iat=int(self.world.now.timestamp()),
            **named,
            bank_id=self.product.bank_id,
            reason=reason,
            position=position,
            recorded_at=at,
        )
        token = self._token(STOP, stop)
        bank_id = self.product.bank_id
        self.put_in_accounts(StopReceived(**named, bank_id=bank_id, reason=reason, stop=token))
        if self.opened:
            names = ("consent_id", "citizen_id", "bank_id", "office_id", "clerk_id")
            of = {name: getattr(self.opened, name) for name in names}
            self.put_in_accounts(AccountFrozen(opening_id=self.opening_id, **of, reason=reason))

    def deliver_stop(self) -> None:
        """Record that accounts knows."""
        position = self.places["stop.received.1"]
        self.put(StopDelivered(consent_id=self.consent_id, accounts_position=position))
