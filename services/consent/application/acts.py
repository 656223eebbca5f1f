"""What a consent was asked for never changes, so it is read once: what the gate is looked up by."""

from services.consent.gate import Act
from services.consent.views import read_question
from shared.ledger.log import Log

ACTS_MAX = 10_000
"""Consents of which is remembered what they were asked for: the newest, a few megabytes."""


class Acts:
    """Who was to do what for whom, by consent."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known = dict[str, Act]()

    async def of(self, consent_id: str) -> Act | None:
        """Return what a consent was asked for, None where nobody asked."""
        known = self._known.get(consent_id)
        if known is None and (question := await read_question(self._log, consent_id)):
            known = self._known[consent_id] = Act.of(question)
            if len(self._known) > ACTS_MAX:
                self._known.pop(next(iter(self._known)))
        return known
