"""Stops a consent at once, tells the accounts service until it has heard, and only then asks.

The fact comes first: from its position on nothing uses the consent. Then accounts is told, which
freezes what was opened; if that is lost, it is told again, for ever.
"""

import asyncio
import logging

from services.consent import messages
from services.consent.accounts import NotTold
from services.consent.application.parts import Parts, requested
from services.consent.disputes import DELIVER, DISPUTE, INVALIDATE, Deliver, Dispute, Invalidate
from services.consent.facts import DisputeChannel
from services.consent.statements import stop_document
from services.consent.views import (
    ConsentView,
    read_by_dispute,
    read_consent,
    read_delivered,
    read_names,
    read_speaker,
    read_undelivered,
)
from shared.contracts.consent import STOP
from shared.errors import Kind, Rejection, Unavailable

TELL_AGAIN_EVERY_S = 5.0
"""Seconds between two tries to tell what accounts has not heard."""

logger = logging.getLogger(__name__)


class Stopping:
    """Disputes and invalidations, behind pages and routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def dispute(self, consent_id: str, channel: DisputeChannel) -> ConsentView:
        """Stop everything about a consent; the same again changes nothing."""
        parts, at = self._parts, self._parts.now()
        policy = await parts.policies.at(at)
        asked = Dispute(consent_id=consent_id, channel=channel, at=at, policy=policy)
        outcome = await parts.log.perform(DISPUTE, asked)
        await self._deliver(consent_id)
        view = await read_consent(parts.log, consent_id, parts.now())
        if outcome.added:
            citizen_id = requested(view.consent).citizen_id
            speaker = await read_speaker(parts.log, citizen_id, parts.now())
            names = await read_names(parts.log, view.consent)
            text = messages.stopped(names, parts.link(consent_id), asked.at)
            await parts.tell_all(citizen_id, speaker, text)
        return view

    async def dispute_by_code(self, code: str) -> None:
        """Stop the consent that a dispute code stands for; the same again changes nothing.

        Nothing of it comes back: whoever finds a printed code may stop, and read nothing.
        """
        parts = self._parts
        consent_id = await read_by_dispute(parts.log, parts.dispute_mark(code))
        if consent_id is None:
            raise Rejection(Kind.UNKNOWN, "dispute_code_unknown")
        await self.dispute(consent_id, DisputeChannel.CODE)

    async def invalidate(self, asked: Invalidate) -> ConsentView:
        """Propose that a consent is void, or make it so where another organisation proposed it."""
        await self._parts.log.perform(INVALIDATE, asked)
        view = await read_consent(self._parts.log, asked.consent_id, self._parts.now())
        if view.consent.invalidated:
            await self._deliver(asked.consent_id)
        return view

    async def tell_what_is_left(self) -> int:
        """Tell accounts of every stop that it has not heard of; returns how many are still left."""
        left = await read_undelivered(self._parts.log)
        told = [await self._deliver(consent_id) for consent_id in left]
        return told.count(False)

    async def run(self) -> None:
        """Tell what is left, again and again, until cancelled."""
        while True:
            try:
                await self.tell_what_is_left()
            except Unavailable:
                logger.warning("stops cannot be told: the log does not answer")
            await asyncio.sleep(TELL_AGAIN_EVERY_S)

    async def _deliver(self, consent_id: str) -> bool:
        """Tell accounts, and record that it heard; returns whether it has, now or before."""
        parts = self._parts
        if await read_delivered(parts.log, consent_id):
            return True
        view = await read_consent(parts.log, consent_id, parts.now())
        document = stop_document(parts.signer.issuer, view.consent, parts.now())
        try:
            position = await parts.accounts.stop(parts.sign(STOP, document, parts.now()))
        except NotTold as error:
            logger.warning("accounts was not told of a stop: %s", error)
            return False
        try:
            delivered = Deliver(consent_id=consent_id, accounts_position=position)
            await parts.log.perform(DELIVER, delivered)
        except Unavailable:
            logger.warning("that accounts heard of a stop is not recorded: it is told again")
            return False
        return True
