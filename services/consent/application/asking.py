"""Banks and clerks ask a citizen and look what came of it; the accounts service uses a consent."""

from dataclasses import replace

from services.consent import messages
from services.consent.application.parts import Parts
from services.consent.facts import ConsentRequested
from services.consent.redemptions import REDEEM, Redeem
from services.consent.requests import ASK, Ask
from services.consent.separation import address_mark
from services.consent.statements import redemption_receipt
from services.consent.views import ConsentView, read_consent, read_phone
from shared.contracts.consent import REDEMPTION, Channel


class Asking:
    """The consents behind the routes for machines."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def ask(self, question: ConsentRequested, host: str | None = None) -> str:
        """Put a question to a citizen; returns the link, which goes to the citizen's phone too.

        The clerk's screen shows the link as well, so a lost message loses nothing. `host` is the
        network address that a clerk asks from; its mark alone is kept.
        """
        parts = self._parts
        code = parts.codes.dispute(question.consent_id)
        question = replace(question, dispute_id=parts.dispute_mark(code))
        if question.channel is Channel.COUNTER:
            mark = address_mark(parts.marks, question.consent_id, host)
            question = replace(question, asked_from_id=mark)
        asked = Ask(question=question, refusals=parts.refusals(question), policy=parts.policy)
        outcome = await parts.log.perform(ASK, asked)
        link = parts.link(question.consent_id)
        if outcome.added:
            phone = await read_phone(parts.log, question.citizen_id, parts.now())
            await parts.tell(phone, messages.question(link, question.decide_by))
        return link

    async def consent(self, consent_id: str) -> ConsentView:
        """Return a consent as it stands now."""
        return await read_consent(self._parts.log, consent_id, self._parts.now())

    async def redeem(self, asked: Redeem) -> str:
        """Use a consent; returns the signed receipt, the same again for the same redemption."""
        outcome = await self._parts.log.perform(REDEEM, asked)
        receipt = redemption_receipt(self._parts.signer.issuer, outcome.state)
        return self._parts.sign(REDEMPTION, receipt, asked.at)
