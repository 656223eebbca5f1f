"""The operator registers who may ask, for what, where, and whom; and erases what is kept of one."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from itertools import chain

from services.consent.application.parts import Parts
from services.consent.directory import REGISTER, Entry
from services.consent.erasures import ERASE, Erase
from services.consent.facts import CitizenRegistered, Ground, RightGranted, SharingGround
from services.consent.rights import GRANT
from services.consent.separation import (
    ALLOW_SHARING,
    MARK_STAFF,
    AllowSharing,
    MarkStaff,
    phone_mark,
)
from services.consent.views import (
    read_authorities,
    read_consent_ids,
    read_phone,
    read_wards,
)
from shared.errors import Kind, Rejection


class Registering:
    """The directory behind its routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(self, entry: Entry) -> None:
        """Put a line into the directory; raises `Rejection` for other particulars of the same."""
        await self._parts.log.perform(REGISTER, entry)

    async def register_citizen(
        self,
        citizen_id: str,
        phone: str,
        known_since: datetime | None,
        born_on: date | None = None,
    ) -> None:
        """Put a citizen into the directory, an empty phone for one who has none.

        Without a date of birth they are of age, as whoever registers them saw. Raises `Rejection`
        for another phone of the same.
        """
        mark = phone_mark(self._parts.marks, phone) if phone else None
        await self.register(
            CitizenRegistered(
                citizen_id=citizen_id,
                phone=phone,
                known_since=known_since,
                phone_id=mark,
                born_on=born_on,
            )
        )

    async def mark_staff(self, clerk_id: str, phones: Sequence[str]) -> None:
        """Say which phones are a clerk's: these, and no others; only their marks are kept."""
        marks = frozenset(phone_mark(self._parts.marks, one) for one in phones)
        await self._parts.log.perform(MARK_STAFF, MarkStaff(clerk_id=clerk_id, phone_ids=marks))

    async def allow_sharing(
        self,
        citizen_id: str,
        bank_id: str,
        citizens_max: int,
        ground: SharingGround,
        *,
        allowed_by: str,
    ) -> None:
        """Let several citizens sign for a bank with the phone of one; raises `Rejection`."""
        parts = self._parts
        phone = await read_phone(parts.log, citizen_id, parts.now())
        if phone is None:
            raise Rejection(Kind.UNKNOWN, "citizen_unknown")
        asked = AllowSharing(
            citizen_id=citizen_id,
            phone_id=parts.phone_mark(phone),
            bank_id=bank_id,
            citizens_max=citizens_max,
            ground=ground,
            allowed_by=allowed_by,
            policy=await parts.policies.at(parts.now()),
        )
        await parts.log.perform(ALLOW_SHARING, asked)

    async def grant(self, granted: RightGranted) -> None:
        """Put a right into force, or end it with its dates; raises `Rejection`."""
        await self._parts.log.perform(GRANT, granted)

    async def erase_citizen(self, citizen_id: str, ground: Ground, asked_by: str) -> list[int]:
        """Erase what is kept of a citizen; returns the positions of the facts that say so.

        The keys take nothing new from the start, so what is registered meanwhile is not lost. The
        fact comes before the keys go, the keys before the bytes; a start finishes what is left.
        """
        log = self._parts.log
        consent_ids = await read_consent_ids(log, citizen_id)
        key_ids = await asyncio.to_thread(self._retire, citizen_id, consent_ids)
        authorities = await read_authorities(log, citizen_id)
        ward_ids = await read_wards(log, citizen_id, self._parts.now())
        of_wards = [await read_consent_ids(log, one) for one in ward_ids]
        asked = Erase(
            citizen_id=citizen_id,
            authority_ids=[one.authority_id for one in authorities],
            ward_ids=ward_ids,
            consent_ids=[*consent_ids, *chain.from_iterable(of_wards)],
            key_ids=key_ids,
            ground=ground,
            asked_by=asked_by,
            at=self._parts.now(),
        )
        outcome = await log.perform(ERASE, asked)
        await asyncio.to_thread(self._parts.erasure.carry_out, key_ids)
        return sorted(outcome.state.erased.values())

    def _retire(self, citizen_id: str, consent_ids: Sequence[str]) -> list[str]:
        """Retire the citizen's own keys, and those of what they refused."""
        subjects = [f"citizen:{citizen_id}", *(f"consent:{one}" for one in consent_ids)]
        return [key_id for one in subjects for key_id in self._parts.keys.retire(one)]
