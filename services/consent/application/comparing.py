"""A bank asks where thousands of its consents stand, in one request, as it compares its books."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from services.consent.application.looking import Looking
from services.consent.application.parts import Parts
from services.consent.consents import Standing
from services.consent.views import ConsentView, read_consents, read_own_ids

AT_ONCE = 100
"""Consents that are read, and whose looks are recorded, before others have their turn."""

SHOWN = ("consent_id", "standing")
"""What is shown of each."""


@dataclass(frozen=True, slots=True)
class Stands:
    """Where one consent stands, by the facts up to a position of its own."""

    consent_id: str
    standing: Standing
    position: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The consents that stand as was asked, in the order of asking, and the ids of no own one."""

    consents: list[Stands]
    unknown: list[str]


class Comparing:
    """The consents of one bank, many at a time."""

    def __init__(self, parts: Parts, looking: Looking) -> None:
        self._parts, self._looking = parts, looking

    async def standings(
        self, consent_ids: Sequence[str], bank_id: str, only: Collection[Standing] = ()
    ) -> Compared:
        """Return where a bank's consents stand, or those of them that stand in one of these ways.

        Another bank's consent is as unknown as one that nobody asked for. Each that is shown is a
        look, recorded before anything is; raises `Unavailable` if one cannot be.
        """
        compared = Compared([], [])
        for some in _slices(list(dict.fromkeys(consent_ids))):
            views = await self._own(some, bank_id)
            compared.unknown.extend(one for one in some if one not in views)
            shown = {key: one for key, one in views.items() if not only or one.standing in only}
            await self._looking.look_at_all(shown.values(), SHOWN, f"bank:{bank_id}")
            compared.consents.extend(_stands(key, one) for key, one in shown.items())
            await asyncio.sleep(0)
        return compared

    async def _own(self, consent_ids: Sequence[str], bank_id: str) -> dict[str, ConsentView]:
        log = self._parts.log
        own = await read_own_ids(log, consent_ids, f"bank:{bank_id}")
        return await read_consents(
            log, [one for one in consent_ids if one in own], self._parts.now()
        )


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE))


def _stands(consent_id: str, view: ConsentView) -> Stands:
    last = max(placed.position for placed in view.places.values())
    return Stands(consent_id, view.standing, last)
