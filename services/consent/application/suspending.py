"""Suspending and going on again, behind the routes, and behind the citizen's own page."""

from services.consent import messages
from services.consent.application.parts import Parts, new_id
from services.consent.facts import LiftedFor, SuspendedFor, SuspensionOrdered
from services.consent.suspensions import LIFT, ORDER, Lift
from services.consent.views import (
    SuspensionView,
    read_phone,
    read_suspension,
    read_suspensions_of,
)
from shared.errors import Kind, Rejection


class Suspending:
    """The suspensions of the gate."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def order(self, ordered: SuspensionOrdered) -> SuspensionView:
        """Suspend, at once; raises `Rejection` for whoever does not answer for the scope."""
        await self._parts.log.perform(ORDER, ordered)
        return await self.suspension(ordered.suspension_id)

    async def lift(self, suspension_id: str, why: LiftedFor, by: str) -> SuspensionView:
        """Propose that a suspension ends, or end what another organisation proposed."""
        known, at = (await self.suspension(suspension_id)).ordered, self._parts.now()
        lift = Lift(
            suspension_id=suspension_id,
            why=why,
            by=by,
            at=at,
            policy=await self._parts.policies.at(at),
            site_id=known.site_id,
        )
        await self._parts.log.perform(LIFT, lift)
        return await self.suspension(suspension_id)

    async def suspension(self, suspension_id: str, *, of_citizens: bool = True) -> SuspensionView:
        """Return a suspension; raises `Rejection` for one that nobody ordered."""
        found = await read_suspension(self._parts.log, suspension_id, self._parts.now())
        if found is None or (found.ordered.citizen_id and not of_citizens):
            raise Rejection(Kind.UNKNOWN, "suspension_unknown")
        return found

    # -- a citizen's own --------------------------------------------------------------------------

    async def own(self, citizen_id: str) -> list[SuspensionView]:
        """Return the suspensions in a citizen's own name that still hold."""
        return await read_suspensions_of(self._parts.log, citizen_id, self._parts.now())

    async def order_own(self, citizen_id: str) -> None:
        """Let nothing be asked or opened in a citizen's name, or do nothing if it is so."""
        by = f"citizen:{citizen_id}"
        held = [one for one in await self.own(citizen_id) if one.lifted is None]
        if any(one.ordered.ordered_by == by for one in held):
            return
        ordered = SuspensionOrdered(
            suspension_id=new_id(),
            bank_id=None,
            office_id=None,
            clerk_id=None,
            site_id=None,
            citizen_id=citizen_id,
            why=SuspendedFor.OWN_WISH,
            ordered_by=by,
        )
        await self._parts.log.perform(ORDER, ordered)
        await self._tell(citizen_id, messages.suspended(self._parts.now()))

    async def lift_own(self, citizen_id: str) -> None:
        """Let it be asked and opened again, in a day's time."""
        by = f"citizen:{citizen_id}"
        for one in await self.own(citizen_id):
            if one.lifted is None and one.ordered.ordered_by == by:
                view = await self.lift(one.ordered.suspension_id, LiftedFor.OWN_WISH, by)
                if view.lifted:
                    await self._tell(citizen_id, messages.lifted(view.lifted.effective_from))

    async def _tell(self, citizen_id: str, text: str) -> None:
        phone = await read_phone(self._parts.log, citizen_id, self._parts.now())
        await self._parts.tell(phone, text)
