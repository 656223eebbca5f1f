"""A bank asks where thousands of its openings stand, in one request, as it compares its books."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.accounts.facts import AccountRead
from services.accounts.views import read_openings
from shared import looks
from shared.clock import Clock
from shared.ledger.log import Log
from shared.looks import ReadFor

AT_ONCE = 100
"""Openings that are read, and whose looks are recorded, before others have their turn."""

SHOWN = ["opening_id", "standing"]
"""What is shown of each."""


@dataclass(frozen=True, slots=True)
class Stands:
    """Where one opening stands, by the facts up to a position of its own."""

    opening_id: str
    standing: str
    position: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The openings that stand as was asked, in the order of asking, and the ids of no own one."""

    openings: list[Stands]
    unknown: list[str]


class Comparing:
    """The openings of one bank, many at a time."""

    def __init__(self, log: Log, now: Clock) -> None:
        self._log, self._now = log, now

    async def standings(
        self, opening_ids: Sequence[str], bank_id: str, only: Collection[str] = ()
    ) -> Compared:
        """Return where a bank's openings stand, or those of them that stand in one of these ways.

        Another bank's opening is as unknown as one that nobody tried. Each that is shown is a look,
        recorded before anything is; raises `Unavailable` if one cannot be.
        """
        compared = Compared([], [])
        for some in _slices(list(dict.fromkeys(opening_ids))):
            found = await read_openings(self._log, some, f"bank:{bank_id}")
            compared.unknown.extend(one for one in some if one not in found)
            shown = [one for one in found.values() if not only or one["standing"] in only]
            await self._look(shown, f"bank:{bank_id}")
            compared.openings.extend(_stands(one) for one in shown)
            await asyncio.sleep(0)
        return compared

    async def _look(self, openings: Sequence[Mapping[str, Any]], read_by: str) -> None:
        """Record the looks; an opening whose command could not be read shows nothing of anybody."""
        at = self._now()
        reads = [_read(one, read_by, at) for one in openings if one["citizen_id"]]
        await looks.record(self._log, reads)


def _read(opening: Mapping[str, Any], read_by: str, at: datetime) -> AccountRead:
    return AccountRead(
        look_id="",
        citizen_id=opening["citizen_id"],
        consent_id=opening["consent_id"],
        opening_id=opening["opening_id"],
        case_id=None,
        read_by=read_by,
        purpose=ReadFor.OWN_QUESTION,
        fields=SHOWN,
        read_at=at,
    )


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE))


def _stands(opening: Mapping[str, Any]) -> Stands:
    return Stands(opening["opening_id"], opening["standing"], opening["last"])
