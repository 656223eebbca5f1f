"""Anyone can see whether decisions still count: a signed list for each stretch of the log.

One view is kept for each of the lists that were asked for last; any other is made when it is asked
for. A list is as new as its `iat`: whatever was acknowledged before is in it.
"""

from collections import OrderedDict
from datetime import timedelta

from services.consent.application.parts import Parts
from services.consent.statuses import Statuses
from shared.contracts.status_list import STATUS_LIST, PackedList, Place, StatusListToken
from shared.errors import Kind, Rejection

TTL = timedelta(seconds=60)
"""How long a copy may be kept: a withdrawal is known to everyone within it."""

LIVES_FOR = timedelta(hours=1)
"""How long a list can be used at all, by whoever took it along."""

VIEWS_KEPT_MAX = 4
"""Bounds the memory: some ten megabytes for a list full of decisions."""


class Listing:
    """The status lists behind their route."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._views: OrderedDict[int, Statuses] = OrderedDict()

    async def token(self, number: int) -> str:
        """Return the signed list of this number; raises `Rejection` where the log has none yet."""
        if number > Place.of(await self._parts.log.head()).number:
            raise Rejection(Kind.UNKNOWN, "not_found")
        at = self._parts.now()
        packed = await self._view(number).at(at)
        payload = StatusListToken(
            iss=self._parts.signer.issuer,
            sub=f"{self._parts.status_lists}/{number}",
            iat=int(at.timestamp()),
            exp=int((at + LIVES_FOR).timestamp()),
            ttl=int(TTL.total_seconds()),
            status_list=PackedList(bits=packed.bits, lst=packed.encode()),
        )
        return self._parts.sign(STATUS_LIST, payload, at)

    def _view(self, number: int) -> Statuses:
        view = self._views.pop(number, None) or Statuses(self._parts.log, number)
        self._views[number] = view
        if len(self._views) > VIEWS_KEPT_MAX:
            self._views.popitem(last=False)
        return view
