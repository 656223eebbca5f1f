"""The bodies that clerks and banks send: a question to a citizen, and a command to open."""

from typing import Any

from demo.cast import ACCOUNT, OFFICE, SITE, Citizen, Product


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
