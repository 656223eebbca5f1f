"""The operator says who may speak for a citizen; the citizen's own phone, if there is one, is told.

First the fact, then the message. It is not sent again, since nothing hangs on it: what is signed
for a citizen is told to their phone too, each time.
"""

from dataclasses import dataclass
from datetime import datetime

from services.consent import messages
from services.consent.application.parts import Parts, new_id
from services.consent.facts import AuthorityGround, RepresentativeAuthorised
from services.consent.representatives import AUTHORISE, END, Authorise, End, standing
from services.consent.views import read_phone


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """Who may speak for whom, why, in which time (UTC), and what the paper is known by."""

    citizen_id: str
    representative_id: str
    ground: AuthorityGround
    valid_from: datetime
    valid_until: datetime | None
    document: str


class Representing:
    """Representatives, behind their routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def authorise(self, granted: Granted, *, authorised_by: str) -> str:
        """Let somebody speak for a citizen; returns the authority's id, or raises `Rejection`.

        Of the paper only a keyed mark is kept.
        """
        parts = self._parts
        authority = RepresentativeAuthorised(
            authority_id=new_id(),
            citizen_id=granted.citizen_id,
            representative_id=granted.representative_id,
            ground=granted.ground,
            valid_from=granted.valid_from,
            valid_until=granted.valid_until,
            document_id=parts.marks.mark("document", granted.document),
            authorised_by=authorised_by,
        )
        outcome = await parts.log.perform(AUTHORISE, Authorise(authority=authority, at=parts.now()))
        if outcome.added:
            await self._tell(granted)
        return standing(outcome.state, authority) or authority.authority_id

    async def end(self, asked: End) -> None:
        """Let somebody speak for a citizen no more."""
        await self._parts.log.perform(END, asked)

    async def _tell(self, granted: Granted) -> None:
        parts, at = self._parts, self._parts.now()
        phone = await read_phone(parts.log, granted.citizen_id, at)
        start = max(at, granted.valid_from)
        await parts.tell(phone, messages.represented(start, f"{parts.public_url}/me"))
