"""The operator registers who may ask, for what, where, and whom."""

from datetime import date
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator

from services.consent.application.passkeys import Passkeys
from services.consent.application.registering import Registering
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    Ground,
    OfficeRegistered,
    ProductOffered,
    SiteRegistered,
)
from shared.claimed import Claimed
from shared.contracts.consent import OPEN_ACCOUNT, Grade, SidePurpose
from shared.contracts.fields import Id, Input, Name, PathId, Phone, Purpose, Sha256, Timestamp
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]


class Named(Input):
    """A bank, another organisation that asks, or an office."""

    name: Name


class Product(Input):
    """A product, the SHA-256 of its terms and of its fees, and what is asked for beside it."""

    bank_id: Id
    name: Name
    purpose: Purpose
    terms_hash: Sha256
    side_purposes: Annotated[list[SidePurpose], Field(min_length=1)] | None = None
    """What each citizen is asked for separately; nothing of the product may hang on it."""

    fee_hash: Sha256 | None = None
    lowest_grade: Grade | None = None
    """The weakest signature that the organisation takes for this product."""

    @model_validator(mode="after")
    def _each_once_and_explained(self) -> Self:
        sides = self.side_purposes or []
        if len(set(sides)) < len(sides):
            raise ValueError("a side purpose is named twice")
        if sides and self.purpose != OPEN_ACCOUNT:
            raise ValueError("only the notice for an account explains side purposes")
        return self


class Clerk(Input):
    """A clerk's office, and all numbers that the clerk has; of these only marks are kept."""

    office_id: Id
    phones: list[Phone] | None = Field(default=None, max_length=20)
    """Left out: what was said of them before stays."""


class Site(Input):
    """A place and who its host is."""

    name: Name
    host: Name
    host_id: Id | None = None
    """Whom the host's own calls come from."""


class Erasure(Input):
    """Why a citizen's data are to go."""

    ground: Ground


EARLIEST = date(1880, 1, 1)
"""Nobody who lives was born before."""


class Citizen(Input):
    """The phone that was confirmed as the citizen's own; null for a citizen who has none."""

    phone: Phone | None
    known_since: Timestamp | None = None
    """Since when it is known to be theirs; by default, since it was registered here."""

    born_on: Annotated[date, Field(ge=EARLIEST)] | None = None
    """Left out for whoever is of age, as the operator saw on a card."""


def routes(directory: Registering, passkeys: Passkeys) -> APIRouter:
    """Return the directory's routes."""
    router = APIRouter(tags=["directory"])

    @router.put("/banks/{bank_id}", status_code=204)
    async def put_bank(bank_id: PathId, body: Named, _: Operator) -> None:
        """Register an organisation that may ask citizens."""
        await directory.register(BankRegistered(bank_id=bank_id, name=body.name))

    @router.put("/products/{product_id}", status_code=204)
    async def put_product(product_id: PathId, body: Product, _: Operator) -> None:
        """Register a product of a bank."""
        await directory.register(ProductOffered(product_id=product_id, **body.model_dump()))

    @router.put("/offices/{office_id}", status_code=204)
    async def put_office(office_id: PathId, body: Named, _: Operator) -> None:
        """Register a post office."""
        await directory.register(OfficeRegistered(office_id=office_id, name=body.name))

    @router.put("/clerks/{clerk_id}", status_code=204)
    async def put_clerk(clerk_id: PathId, body: Clerk, _: Operator) -> None:
        """Register a clerk at an office, and say which phones are the clerk's."""
        await directory.register(ClerkRegistered(clerk_id=clerk_id, office_id=body.office_id))
        if body.phones is not None:
            await directory.mark_staff(clerk_id, body.phones)

    @router.put("/clerks/{clerk_id}/passkeys/{passkey_id}", status_code=204)
    async def put_staff_passkey(clerk_id: PathId, passkey_id: PathId, _: Operator) -> None:
        """Know a passkey as a clerk's own: it signs for no citizen, whoever enrolled it."""
        await passkeys.mark_staff(clerk_id, passkey_id)

    @router.put("/sites/{site_id}", status_code=204)
    async def put_site(site_id: PathId, body: Site, _: Operator) -> None:
        """Register a place where people may be asked."""
        await directory.register(SiteRegistered(site_id=site_id, **body.model_dump()))

    @router.put("/citizens/{citizen_id}", status_code=204)
    async def put_citizen(citizen_id: PathId, body: Citizen, _: Operator) -> None:
        """Register a citizen; phone and date of birth lie under their own key, to be erased."""
        await directory.register_citizen(
            citizen_id, body.phone or "", body.known_since, body.born_on
        )

    @router.post("/citizens/{citizen_id}/erasure")
    async def erase_citizen(
        citizen_id: PathId, body: Erasure, by: Operator, claimed: Claimed
    ) -> dict[str, Any]:
        """Erase what is kept of a citizen; the answer names the facts that prove it."""
        async with claimed:
            positions = await directory.erase_citizen(citizen_id, body.ground, by.name)
        return {"citizen_id": citizen_id, "positions": positions}

    return router
