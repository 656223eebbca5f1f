"""The operator registers who may ask, for what, where, and whom."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from services.consent.application.registering import Registering
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    Ground,
    OfficeRegistered,
    ProductOffered,
    SiteRegistered,
)
from shared.contracts.fields import Id, Name, PathId, Phone, Purpose, Sha256
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]


class Named(BaseModel):
    """A bank, another organisation that asks, or an office."""

    name: Name


class Product(BaseModel):
    """A product and the SHA-256 of its terms."""

    bank_id: Id
    name: Name
    purpose: Purpose
    terms_hash: Sha256


class Clerk(BaseModel):
    """A clerk's office, and all numbers that the clerk has; of these only marks are kept."""

    office_id: Id
    phones: list[Phone] | None = Field(default=None, max_length=20)
    """Left out: what was said of them before stays."""


class Site(BaseModel):
    """A place and who its host is."""

    name: Name
    host: Name


class Erasure(BaseModel):
    """Why a citizen's data are to go."""

    ground: Ground


class Citizen(BaseModel):
    """The phone that was confirmed as the citizen's own."""

    phone: Phone
    known_since: AwareDatetime | None = None
    """Since when it is known to be theirs; by default, since it was registered here."""


def routes(directory: Registering) -> APIRouter:
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

    @router.put("/sites/{site_id}", status_code=204)
    async def put_site(site_id: PathId, body: Site, _: Operator) -> None:
        """Register a place where people may be asked."""
        await directory.register(SiteRegistered(site_id=site_id, **body.model_dump()))

    @router.put("/citizens/{citizen_id}", status_code=204)
    async def put_citizen(citizen_id: PathId, body: Citizen, _: Operator) -> None:
        """Register a citizen; the phone lies under their own key and can be erased."""
        await directory.register_citizen(citizen_id, body.phone, body.known_since)

    @router.post("/citizens/{citizen_id}/erasure")
    async def erase_citizen(citizen_id: PathId, body: Erasure, by: Operator) -> dict[str, Any]:
        """Erase what is kept of a citizen; the answer names the facts that prove it."""
        positions = await directory.erase_citizen(citizen_id, body.ground, by.name)
        return {"citizen_id": citizen_id, "positions": positions}

    return router
