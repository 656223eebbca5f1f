"""The citizen sees everything done in their name, having shown that they hold their phone.

Whether a number is known to us is told to nobody but its phone.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.consent import messages
from services.consent.accounts import Attempt, InAccounts, NotAnswered, OpenedAccount
from services.consent.application.parts import Parts
from services.consent.notices import Names, SideText
from services.consent.own_pages import ASK_PAGE, AskPage
from services.consent.separation import phone_mark
from services.consent.views import (
    ConsentView,
    Phone,
    read_attempts,
    read_consent,
    read_consent_ids,
    read_looks,
    read_names,
    read_phone,
    read_reader_names,
    read_sharers,
    read_wards,
)
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection
from shared.looks import Looked, ReadFor

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Matter:
    """One question that was put to a citizen, where it stands, and the end of its link.

    `for_other`: it was put to another, for whom the citizen speaks.
    """

    consent_id: str
    view: ConsentView
    names: Names
    sides: tuple[SideText, ...]
    link: str
    for_other: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What one reader was shown of one question, or of the account that came of it."""

    looked: Looked
    of_account: bool


@dataclass(frozen=True, slots=True)
class Everything:
    """What there is in a citizen's name, and to answer for others, newest first.

    No `accounts` if they did not answer; those are the citizen's own, and so are the looks.

    `looks` are those of others, whoever looked last first; `attempts` are what was tried in the
    citizen's name and rejected, the newest first; `readers` are the names of banks, and of clerks'
    offices, by who they are.
    """

    matters: Sequence[Matter]
    accounts: Sequence[OpenedAccount] | None
    looks: Sequence[Look]
    attempts: Sequence[Attempt]
    readers: Mapping[str, str]


class Gathering:
    """The citizens' own pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def ask(self, number: str) -> None:
        """Send a link to each citizen whose phone (E.164) this is; never says whether there is one.

        It is done behind the answer, so what fails is noted, without the number.
        """
        try:
            holders = await self._holders(number)
            for at, (citizen_id, phone) in enumerate(holders, start=1):
                await self._send(citizen_id, phone, messages.part_of(at, len(holders)))
        except Rejection as no:
            logger.warning("a link to an own page was not sent: %s", no.code)

    async def gather(self, link: str, lang: Lang) -> Everything:
        """Return what is in the name of a link's citizen.

        Raises `Rejection` for a link that is over or not ours, and once the citizen is erased.
        """
        parts, citizen_id = self._parts, await self.citizen_id(link)
        ids = await read_consent_ids(parts.log, citizen_id)
        matters = [await self._matter(one, lang) for one in reversed(ids)]
        matters += await self._of_wards(citizen_id, lang)
        there = await self._accounts(citizen_id)
        looks = _looks(await read_looks(parts.log, citizen_id), there.looks if there else [])
        attempts = [*await read_attempts(parts.log, citizen_id), *(there.attempts if there else [])]
        attempts = sorted(attempts, key=lambda one: one.at, reverse=True)
        others = {one.looked.read_by for one in looks} | {one.tried_by for one in attempts}
        readers = await read_reader_names(parts.log, others)
        return Everything(matters, there.opened[::-1] if there else None, looks, attempts, readers)

    async def citizen_id(self, link: str) -> str:
        """Return whose own page a link is; raises `Rejection` as `gather` does."""
        parts, at = self._parts, self._parts.now()
        citizen_id = parts.codes.citizen_id(link, int(at.timestamp()))
        if citizen_id is None or await read_phone(parts.log, citizen_id, at) is None:
            raise Rejection(Kind.UNKNOWN, "not_found")
        return citizen_id

    async def _holders(self, number: str) -> list[tuple[str, Phone]]:
        """Return the citizens whose phone counts and is this one."""
        parts = self._parts
        sharers = await read_sharers(parts.log, phone_mark(parts.marks, number))
        held = [(one, await read_phone(parts.log, one, parts.now())) for one in sharers]
        return [(one, phone) for one, phone in held if phone and phone.number == number]

    async def _send(self, citizen_id: str, phone: Phone, part: str) -> None:
        parts, at = self._parts, self._parts.now()
        policy = await parts.policies.at(at)
        try:
            asked = AskPage(citizen_id=citizen_id, at=at, policy=policy)
            await parts.log.perform(ASK_PAGE, asked)
        except Rejection as no:
            if no.code == "too_many_codes":  # that of another citizen may still go out
                return
            raise
        until = at + policy.page_lives_for
        link = parts.page_link(citizen_id, until)
        await parts.tell(phone, messages.own_page(link, until, part))

    async def _of_wards(self, citizen_id: str, lang: Lang) -> list[Matter]:
        """Return the questions that the citizen answers for others."""
        log, matters = self._parts.log, list[Matter]()
        for ward_id in await read_wards(log, citizen_id, self._parts.now()):
            asked = reversed(await read_consent_ids(log, ward_id))
            matters += [replace(await self._matter(one, lang), for_other=True) for one in asked]
        return matters

    async def _matter(self, consent_id: str, lang: Lang) -> Matter:
        parts = self._parts
        view = await read_consent(parts.log, consent_id, parts.now())
        names = await read_names(parts.log, view.consent)
        sides = parts.side_texts(view.consent, lang)
        return Matter(consent_id, view, names, sides, parts.codes.link(consent_id))

    async def _accounts(self, citizen_id: str) -> InAccounts | None:
        try:
            return await self._parts.accounts.of_citizen(citizen_id)
        except NotAnswered as error:
            logger.warning("accounts did not say what was opened: %s", error)
            return None


def _looks(here: Sequence[Looked], in_accounts: Sequence[Looked]) -> list[Look]:
    """Return the looks of others at both services, whoever looked last first."""
    looks = [Look(one, of_account=False) for one in here]
    looks += [
        Look(one, of_account=True) for one in in_accounts if one.purpose is not ReadFor.OWN_PAGE
    ]
    return sorted(looks, key=lambda one: one.looked.last_at, reverse=True)
