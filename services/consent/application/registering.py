"""The operator registers who may ask, for what, where, and whom; and erases what is kept of one."""

import asyncio
from collections.abc import Sequence

from services.consent.application.parts import Parts
from services.consent.directory import REGISTER, Entry
from services.consent.erasures import ERASE, Erase
from services.consent.facts import Ground
from services.consent.views import read_consent_ids


class Registering:
    """The directory behind its routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(self, entry: Entry) -> None:
        """Put a line into the directory; raises `Rejection` for other particulars of the same."""
        await self._parts.log.perform(REGISTER, entry)

    async def erase_citizen(self, citizen_id: str, ground: Ground, asked_by: str) -> list[int]:
        """Erase what is kept of a citizen; returns the positions of the facts that say so.

        The keys take nothing new from the start, so what is registered meanwhile is not lost. The
        fact comes before the keys go, the keys before the bytes; a start finishes what is left.
        """
        consent_ids = await read_consent_ids(self._parts.log, citizen_id)
        key_ids = await asyncio.to_thread(self._retire, citizen_id, consent_ids)
        asked = Erase(
            citizen_id=citizen_id,
            consent_ids=consent_ids,
            key_ids=key_ids,
            ground=ground,
            asked_by=asked_by,
            at=self._parts.now(),
        )
        outcome = await self._parts.log.perform(ERASE, asked)
        await asyncio.to_thread(self._parts.erasure.carry_out, key_ids)
        return sorted(outcome.state.erased.values())

    def _retire(self, citizen_id: str, consent_ids: Sequence[str]) -> list[str]:
        """Retire the citizen's own keys, and those of what they refused."""
        subjects = [f"citizen:{citizen_id}", *(f"consent:{one}" for one in consent_ids)]
        return [key_id for one in subjects for key_id in self._parts.keys.retire(one)]
