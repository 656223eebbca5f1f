"""Who is on stage: banks, an office, its clerks, a site, twelve citizens.

All names are invented but one: that of the man who said no in 2023 (docs/why.md).
"""

import asyncio
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shared.canonical import text_digest
from shared.signing import write_secret

KNOWN_SINCE = "2021-03-01T00:00:00Z"
"""Since when all rights are in force, and everyone's phone is known to be theirs: from the power
company's customer register."""

OPEN_ACCOUNT = "open-account"
ELECTRICITY = "electricity-contract"


@dataclass(frozen=True)
class Product:
    """A product and the terms that a citizen would agree to."""

    id: str
    bank_id: str
    name: str
    purpose: str
    terms: str

    @property
    def terms_hash(self) -> str:
        """Return the SHA-256 of the terms."""
        return text_digest(self.terms)


@dataclass(frozen=True)
class Citizen:
    """A citizen: a random id for the log, a name for the stage, a phone for the code."""

    id: str
    name: str
    phone: str


BANKS = {
    "so-viet": "Ngân hàng số Sông Việt",
    "truong-son": "Ngân hàng Trường Sơn",
    "dien-luc": "Điện lực Hướng Hoá",
}
OFFICE = ("bd-huong-hoa", "Bưu điện huyện Hướng Hoá")
SITE = ("doi-lao-bao", "Đội quản lý điện Lao Bảo", "Điện lực Hướng Hoá")
CLERKS = {"gdv-01": "+84910000001", "gdv-02": "+84910000002", "gdv-03": "+84910000003"}
"""Every clerk and the clerk's own phone, with which no citizen can agree."""

DEVICE = "may-chup-01"
"""The device of the office's own, with which people are photographed who agreed."""

ACCOUNT = Product("so-viet-payment", "so-viet", "Tài khoản thanh toán", OPEN_ACCOUNT, "v1 terms")
SAVINGS = Product("so-viet-savings", "so-viet", "Tài khoản tiết kiệm", OPEN_ACCOUNT, "v1 savings")
OTHER = Product("truong-son-payment", "truong-son", "Tài khoản thanh toán", OPEN_ACCOUNT, "v1 ts")
POWER = Product("hop-dong-dien", "dien-luc", "Hợp đồng điện bản điện tử", ELECTRICITY, "v1 power")
PRODUCTS = [ACCOUNT, SAVINGS, OTHER, POWER]

NAMES = [
    "Hồ Thị Mai", "Trần Đức Hiếu", "Hồ Văn Tâm", "Nguyễn Thị Lan", "Lê Văn Sơn", "Hồ Thị Nguyệt",
    "Phạm Quang Bình", "Võ Thị Thu", "Đặng Văn Lợi", "Bùi Thị Hoa", "Hồ Văn Pả", "Trương Thị Yến",
]  # fmt: skip


def citizens() -> list[Citizen]:
    """Return the twelve citizens, with fresh random ids and phones that nobody has."""
    return [
        Citizen(f"c-{secrets.token_hex(8)}", name, f"+8490000{number:04d}")
        for number, name in enumerate(NAMES, start=1)
    ]


ROLES = {
    "operator": ("operator", "operator"),
    "regulator": ("regulator", "nhnn"),
    "accounts": ("service", "accounts"),
    "consent": ("service", "consent"),
    "overseer": ("overseer", "ubnd-huong-hoa"),
    "manager": ("manager", OFFICE[0]),
    "host": ("host", "dien-luc"),
    **{bank: ("bank", bank) for bank in BANKS},
    **{clerk: ("clerk", clerk) for clerk in CLERKS},
}
"""Every bearer token by its holder: role, and who it is."""


@dataclass(frozen=True)
class Tokens:
    """The bearer tokens of one stage, and the file by which services know them."""

    file: Path
    by_holder: dict[str, str] = field(repr=False)

    def keyed(self, holder: str) -> dict[str, str]:
        """Return the headers of a `POST` that changes something: with a key of its own."""
        return {**self.header(holder), "Idempotency-Key": secrets.token_hex(16)}

    def header(self, holder: str) -> dict[str, str]:
        """Return the header that a holder sends."""
        return {"Authorization": f"Bearer {self.by_holder[holder]}"}


def make_tokens(folder: Path) -> Tokens:
    """Make a token for everyone, and the file of their digests."""
    by_holder = {holder: secrets.token_urlsafe(24) for holder in ROLES}
    rows = [
        {"sha256": hashlib.sha256(token.encode()).hexdigest(), "role": role, "id": own_id}
        for holder, token in by_holder.items()
        for role, own_id in [ROLES[holder]]
    ]
    file = folder / "tokens.json"
    write_secret(file, json.dumps(rows, indent=1).encode())
    return Tokens(file, by_holder)


async def seed(consent: httpx.AsyncClient, tokens: Tokens, people: list[Citizen]) -> None:
    """Register everyone at the consent service; doing it twice changes nothing."""
    office_id, office = OFFICE
    site_id, site, host = SITE
    first = [(f"/banks/{bank}", {"name": name}) for bank, name in BANKS.items()]
    first += [(f"/offices/{office_id}", {"name": office})]
    first += [(f"/sites/{site_id}", {"name": site, "host": host, "host_id": "dien-luc"})]
    first += [
        (f"/citizens/{one.id}", {"phone": one.phone, "known_since": KNOWN_SINCE}) for one in people
    ]
    then = [
        (f"/clerks/{clerk}", {"office_id": office_id, "phones": [phone]})
        for clerk, phone in CLERKS.items()
    ]
    then += [
        (
            f"/products/{one.id}",
            {
                "bank_id": one.bank_id,
                "name": one.name,
                "purpose": one.purpose,
                "terms_hash": one.terms_hash,
            },
        )
        for one in PRODUCTS
    ]
    term = {"valid_from": KNOWN_SINCE}
    rights = [
        *(f"contracts/{bank}" for bank in BANKS),
        *(f"trainings/{clerk}" for clerk in CLERKS),
        f"permissions/{site_id}",
        f"devices/{DEVICE}",
        "registration",
    ]
    last = [(f"/offices/{office_id}/{right}", term) for right in rights]
    for lines in (first, then, last):
        headers = tokens.header("operator")
        puts = [consent.put(path, json=body, headers=headers) for path, body in lines]
        for answer in await asyncio.gather(*puts):
            answer.raise_for_status()
