"""Banks and clerks ask a citizen and look what came of it; the accounts service uses a consent."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from services.consent import messages
from services.consent.application.acts import Acts
from services.consent.application.parts import Parts
from services.consent.facts import ConsentRequested
from services.consent.redemptions import REDEEM, Redeem
from services.consent.representatives import speaker
from services.consent.requests import ASK, Ask, Before
from services.consent.separation import address_mark
from services.consent.statements import redemption_receipt
from services.consent.views import ConsentView, read_consent, read_phone
from shared.contracts.consent import REDEMPTION, Channel
from shared.errors import Rejection, Unavailable
from shared.ledger.log import Weighed

logger = logging.getLogger(__name__)


class Asking:
    """The consents behind the routes for machines."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._acts = parts, Acts(parts.log)

    async def ask(
        self, question: ConsentRequested, host: str | None = None, *, by_default: bool = False
    ) -> str:
        """Put a question to a citizen; returns the link, which goes to the citizen's phone too.

        Or to that of whoever speaks for the citizen. The clerk's screen shows the link as well, so
        a lost message loses nothing. `host` is the network address that a clerk asks from; its mark
        alone is kept. `by_default`: its time to decide is what policy gives.
        """
        parts = self._parts
        asked = replace(await self._asked(question, host), by_default=by_default)
        outcome = await parts.log.perform(ASK, asked)
        link = parts.link(question.consent_id)
        if outcome.added:
            await self._tell(outcome.state, question, link)
        return link

    async def _tell(self, before: Before, question: ConsentRequested, link: str) -> None:
        """Send the link to whoever speaks for the citizen."""
        speaks = speaker(before.people, question.citizen_id, question.asked_at)
        assert speaks  # who could be asked has somebody who speaks
        phone = await read_phone(self._parts.log, speaks.citizen_id, self._parts.now())
        other = speaks.authority_id is not None
        await self._parts.tell(phone, messages.question(link, question.decide_by, for_other=other))

    async def _asked(self, question: ConsentRequested, host: str | None) -> Ask:
        """Return what is asked, with the notice of that time, and the marks that go with it."""
        parts, consent_id = self._parts, question.consent_id
        notice_id = parts.notices.current(question.purpose, question.asked_at)
        at_counter = question.channel is Channel.COUNTER
        return Ask(
            question=replace(
                question,
                notice_id=notice_id,
                dispute_id=parts.dispute_mark(parts.codes.dispute(consent_id)),
                asked_from_id=address_mark(parts.marks, consent_id, host) if at_counter else None,
            ),
            refusals=parts.refusals(question),
            policy=await parts.policies.at(question.asked_at),
            explained=parts.notices.explained(notice_id) if notice_id else frozenset(),
        )

    async def consent(self, consent_id: str) -> ConsentView:
        """Return a consent as it stands now."""
        return await read_consent(self._parts.log, consent_id, self._parts.now())

    async def redeem(self, asked: Redeem, host: str | None) -> str:
        """Use a consent; returns the signed receipt, the same again for the same redemption.

        `host` is the network address from which the bank decided; its mark alone is looked at.
        """
        outcome = await self._parts.log.perform(REDEEM, await self._whole(asked, host))
        receipt = redemption_receipt(self._parts.signer.issuer, outcome.state.consent)
        return self._parts.sign(REDEMPTION, receipt, asked.at)

    async def redeem_each(
        self, asked: Sequence[tuple[Redeem, str | None]]
    ) -> list[str | Rejection]:
        """Use several consents at once; returns the receipt of each, or the no to it, in order."""
        return await asyncio.gather(*(self._receipt_or_no(*one) for one in asked))

    async def _receipt_or_no(self, asked: Redeem, host: str | None) -> str | Rejection:
        try:
            return await self.redeem(asked, host)
        except Rejection as no:
            return no
        except Exception:  # a defect that one meets is not told to the others
            logger.exception("a redemption among others failed")
            return Unavailable("unexpected")

    async def validate(self, asked: Redeem, host: str | None) -> Weighed:
        """Tell whether a consent could be used now, and why not; uses nothing."""
        return await self._parts.log.weigh(REDEEM, await self._whole(asked, host))

    async def _whole(self, asked: Redeem, host: str | None) -> Redeem:
        """Return a use with what the consent was asked for, and the mark of where it came from."""
        mark = address_mark(self._parts.marks, asked.consent_id, host)
        return replace(asked, act=await self._acts.of(asked.consent_id), approved_from_id=mark)
