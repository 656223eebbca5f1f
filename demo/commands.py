"""The bodies that clerks and banks send: a question, two pictures, a command to open."""

import secrets
from datetime import datetime
from typing import Any

from demo.cast import ACCOUNT, DEVICE, OFFICE, SITE, Citizen, Product


def place(clerk: str | None) -> dict[str, str | None]:
    """Return where a clerk works, or no place for a bank that asks online."""
    if clerk is None:
        return {"office_id": None, "site_id": None, "clerk_id": None}
    return {"office_id": OFFICE[0], "site_id": SITE[0], "clerk_id": clerk}


def question(
    citizen: Citizen, product: Product = ACCOUNT, *, clerk: str | None = "gdv-01", **more: Any
) -> dict[str, Any]:
    """Return the body of `PUT /consents/{id}`."""
    return {
        "citizen_id": citizen.id,
        "bank_id": product.bank_id,
        "product_id": product.id,
        "terms_hash": product.terms_hash,
        "purpose": product.purpose,
        **place(clerk),
        **more,
    }


def sitting(taken_at: datetime, device_id: str = DEVICE) -> dict[str, Any]:
    """Return the body of `PUT /consents/{id}/captures/{id}`: two pictures of a citizen."""
    pictures = {name: secrets.token_hex(32) for name in ("document_hash", "portrait_hash")}
    return {"device_id": device_id, **pictures, "taken_at": taken_at.isoformat()}


def command(
    citizen: Citizen,
    consent: str | None,
    product: Product = ACCOUNT,
    *,
    clerk: str | None = "gdv-01",
    **more: Any,
) -> dict[str, Any]:
    """Return the body of `PUT /openings/{id}`."""
    return {**question(citizen, product, clerk=clerk), "consent": consent, **more}
