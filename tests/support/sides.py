"""A product that asks for every side purpose and has fees, and how the operator registers it."""

from typing import Any

import httpx

from demo.cast import OPEN_ACCOUNT, Product
from shared.contracts.consent import SidePurpose
from tests.support.world import World

FEES = "e" * 64
SIDES = [str(one) for one in SidePurpose]
PLUS = Product("so-viet-plus", "so-viet", "Tài khoản có mục riêng", OPEN_ACCOUNT, "v1 plus")


def offered(**more: Any) -> dict[str, Any]:
    """Return the body that registers PLUS, with changes."""
    return {
        "bank_id": PLUS.bank_id,
        "name": PLUS.name,
        "purpose": PLUS.purpose,
        "terms_hash": PLUS.terms_hash,
        "side_purposes": SIDES,
        "fee_hash": FEES,
        **more,
    }


async def offer(world: World, **more: Any) -> httpx.Response:
    """Register PLUS, with changes."""
    headers = world.tokens.header("operator")
    address = f"/products/{PLUS.id}"
    answer: httpx.Response = await world.consent.put(address, json=offered(**more), headers=headers)
    return answer
