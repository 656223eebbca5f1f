"""A question keeps the text that it was put with, whatever versions come after it.

The real service on its files, started again with more texts in its folder each time.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from services.consent import main as consent_main
from services.consent.application.asking import Asking
from services.consent.application.deciding import Deciding, Pressed
from services.consent.application.parts import Parts
from services.consent.application.registering import Registering
from services.consent.facts import (
    BankRegistered,
    ConsentRequested,
    NoticeServed,
    ProductOffered,
)
from services.consent.notices import FOLDER, VERSIONS, Notices
from services.consent.settings import Settings
from shared.contracts.consent import Channel, Decision, SidePurpose
from shared.contracts.reasons import Lang
from shared.errors import Rejection
from shared.ledger.log import Verb, about
from tests.support.given import AT
from tests.support.world import new_id

LANGS: list[Lang] = ["vi", "en"]
FIRST = AT - timedelta(days=30)
"""While the first version was served."""

THIRD = AT + timedelta(days=30)
"""When a third version is served, with another vocabulary."""

REWORDED = [
    ("tài khoản ngân hàng", "tài khoản nhà băng"),
    ("bank account", "account at a bank"),
    ("Nhận tin", "Nhận thư"),
    ("News of", "Letters about"),
]
"""What the third version and its vocabulary say otherwise."""

BEFORE: Verb[Any, ConsentRequested] = Verb(
    boundary=lambda question: [about(f"consent:{question.consent_id}", kinds=[ConsentRequested])],
    initial=None,
    evolve=lambda state, _: state,
    decide=lambda _, question: [question],
)
"""How questions were put before they named their notice: as they came."""


@contextmanager
def service(folder: Path, texts: Path) -> Iterator[Parts]:
    """Give the service's parts on what the folder holds, with these texts."""
    settings = Settings(
        folder=folder,
        tokens=folder / "tokens.json",
        public_url="https://thuan.example",
        sandbox=True,
        clock_file=folder / "clock",
    )
    consent_main.init(settings)
    parts = replace(consent_main.create_parts(settings), notices=Notices(texts))
    try:
        yield parts
    finally:
        parts.log.close()
        parts.erasure.close()


def with_a_third_version(texts: Path) -> None:
    """Add new wordings and a new vocabulary: nothing that was there changes."""
    for lang in LANGS:
        for name, other in (("open-account.2", "open-account.3"), ("purposes.1", "purposes.2")):
            old = (texts / f"{name}.{lang}.txt").read_text(encoding="utf-8")
            new = old
            for words, others in REWORDED:
                new = new.replace(words, others)
            assert new != old
            (texts / f"{other}.{lang}.txt").write_text(new, encoding="utf-8")
    with (texts / VERSIONS).open("a", encoding="utf-8") as file:
        file.write(f"open-account.3  purposes.2  {THIRD.isoformat()}\n")


async def register(parts: Parts) -> None:
    """Register a bank, a product with every side purpose, and a citizen."""
    product = ProductOffered(
        product_id="p",
        bank_id="cake",
        name="Tài khoản",
        purpose="open-account",
        terms_hash="a" * 64,
        side_purposes=[str(one) for one in SidePurpose],
        fee_hash="e" * 64,
    )
    directory = Registering(parts)
    await directory.register(BankRegistered(bank_id="cake", name="Ngân hàng"))
    await directory.register(product)
    await directory.register_citizen("c1", "+84900000001", None)


def question(at: datetime, **changes: Any) -> ConsentRequested:
    """Return a question to the citizen, online, asked at an instant; the clock is far behind it."""
    whole = ConsentRequested(
        consent_id=new_id(),
        citizen_id="c1",
        bank_id="cake",
        product_id="p",
        terms_hash="a" * 64,
        purpose="open-account",
        channel=Channel.ONLINE,
        office_id=None,
        site_id=None,
        clerk_id=None,
        asked_by="bank:cake",
        asked_at=at,
        decide_by=at + timedelta(days=1),
    )
    return replace(whole, **changes)


async def ask(parts: Parts, at: datetime) -> str:
    """Put a question; returns the consent's id."""
    put = question(at)
    await Asking(parts).ask(put)
    return put.consent_id


async def read(parts: Parts, consent_id: str) -> dict[str, tuple[str, str]]:
    """Show a page in both languages; returns notice and hash of each."""
    shown = {lang: await Deciding(parts).show(consent_id, lang) for lang in LANGS}
    return {lang: (one.notice.id, one.notice.hash) for lang, one in shown.items()}


async def served(parts: Parts, consent_id: str) -> list[tuple[str, str, str]]:
    """Return what the facts say was served."""
    found = await parts.log.read(about(f"consent:{consent_id}", kinds=[NoticeServed]))
    said = [recorded.fact for recorded in found]
    return [(one.notice_lang, one.notice_id, one.notice_hash) for one in said]


def test_a_reprint_is_what_was_shown_after_every_new_version(tmp_path: Path) -> None:
    """For each version: hash of the reprint = hash in the fact, and no second text is served."""
    texts = copytree(FOLDER, tmp_path / "texts")

    async def scenario() -> None:
        shown: dict[str, dict[str, tuple[str, str]]] = {}
        with service(tmp_path / "consent", texts) as parts:
            await register(parts)
            unnamed = question(FIRST - timedelta(days=9))
            await parts.log.perform(BEFORE, unnamed)
            asked = [unnamed.consent_id, await ask(parts, FIRST), await ask(parts, AT)]
            shown |= {one: await read(parts, one) for one in asked}
        with_a_third_version(texts)
        with service(tmp_path / "consent", texts) as parts:
            assert {one: await read(parts, one) for one in asked} == shown
            third = await ask(parts, THIRD)
            shown[third] = await read(parts, third)
            for one, by_lang in shown.items():
                assert await served(parts, one) == [(lang, *by_lang[lang]) for lang in LANGS]
        versions = [by_lang["vi"][0].rpartition(".")[2] for by_lang in shown.values()]
        assert versions == ["1", "1", "2", "3"]
        assert len({by_lang[lang] for by_lang in shown.values() for lang in LANGS}) == 8

    asyncio.run(scenario())


def test_what_was_shown_before_a_new_version_can_be_signed_after_it(tmp_path: Path) -> None:
    """The statement names the text of its question, and the cards have that text's words."""
    texts = copytree(FOLDER, tmp_path / "texts")

    async def scenario() -> None:
        with service(tmp_path / "consent", texts) as parts:
            await register(parts)
            now = parts.now()
            consent_id = await ask(parts, now)
            first = await read(parts, consent_id)
        with_a_third_version(texts)
        with service(tmp_path / "consent", texts) as parts:
            deciding = Deciding(parts)
            pressed = Pressed(
                decision=Decision.GIVEN, lang="vi", host=None, chosen=frozenset({"marketing"})
            )
            challenge = await deciding.ask_code(consent_id, pressed)
            view = await deciding.consent(consent_id)
            statement = view.consent.challenges[challenge].asked.statement
            assert (statement.notice_id, statement.notice_hash) == first["vi"]
            assert deciding.side_texts(view, "vi")[0].title.startswith("Nhận tin")

    asyncio.run(scenario())


def test_a_version_that_explains_no_side_purpose_asks_for_none(tmp_path: Path) -> None:
    """The first version had no list, so nothing beside the account was asked with it."""

    async def scenario() -> None:
        with service(tmp_path / "consent", FOLDER) as parts:
            await register(parts)
            for at, count in ((FIRST, 0), (AT, len(SidePurpose))):
                view = await Deciding(parts).consent(await ask(parts, at))
                assert view.consent.requested
                assert len(view.consent.requested.side_purposes or []) == count
                assert view.consent.requested.fee_hash == "e" * 64

    asyncio.run(scenario())


def test_a_purpose_without_a_text_is_not_asked(tmp_path: Path) -> None:
    """A product may be registered before its notice is written; nobody is asked for it."""

    async def scenario() -> None:
        with service(tmp_path / "consent", FOLDER) as parts:
            await register(parts)
            product = ProductOffered(
                product_id="q", bank_id="cake", name="Q", purpose="savings", terms_hash="a" * 64
            )
            await Registering(parts).register(product)
            put = question(AT, product_id="q", purpose="savings")
            with pytest.raises(Rejection) as no:
                await Asking(parts).ask(put)
            assert [reason.code for reason in no.value.reasons] == ["notice_missing"]

    asyncio.run(scenario())
