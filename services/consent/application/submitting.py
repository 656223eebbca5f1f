"""A clerk photographs who agreed, and hands in; banks and clerks see what was handed in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.consent import messages
from services.consent.application.acts import Acts
from services.consent.application.parts import Parts, requested
from services.consent.consents import Consent
from services.consent.submissions import CAPTURE, SUBMIT, Capture, Submit
from services.consent.views import list_submissions, read_names, read_speaker


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a device says of two pictures: the SHA-256 of each, and when its clock says it was."""

    device_id: str
    document_hash: str
    portrait_hash: str
    taken_at: datetime


class Submitting:
    """Captures and submissions behind their routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._acts = parts, Acts(parts.log)

    async def capture(self, consent_id: str, capture_id: str, taken: Taken, by: str) -> None:
        """Record that a citizen was photographed, the pictures by marks; raises `Rejection`."""
        parts, at = self._parts, self._parts.now()
        asked = Capture(
            capture_id=capture_id,
            consent_id=consent_id,
            act=await self._acts.of(consent_id),
            device_id=taken.device_id,
            document_image_id=parts.marks.mark("image", taken.document_hash),
            portrait_image_id=parts.marks.mark("image", taken.portrait_hash),
            taken_at=taken.taken_at,
            captured_by=by,
            at=at,
            policy=await parts.policies.at(at),
        )
        await parts.log.perform(CAPTURE, asked)

    async def submit(self, consent_id: str, by: str) -> None:
        """Hand in to the bank what a citizen agreed to, and tell the citizen so, once."""
        act = await self._acts.of(consent_id)
        asked = Submit(consent_id=consent_id, act=act, submitted_by=by, at=self._parts.now())
        outcome = await self._parts.log.perform(SUBMIT, asked)
        if outcome.added:
            await self._tell(outcome.state.consent)

    async def submissions(self, tag: str | None, *, after: int, limit: int) -> dict[str, Any]:
        """Return what was handed in under a tag such as `bank:cake`, or all, behind a cursor."""
        return await list_submissions(self._parts.log, tag, after=after, limit=limit)

    async def _tell(self, consent: Consent) -> None:
        """Say to the citizen, and to whoever speaks for them, what was handed in in their name."""
        asked, parts = requested(consent), self._parts
        names, link = await read_names(parts.log, consent), parts.link(asked.consent_id)
        text = messages.submitted(names, link, confirm=consent.unconfirmed)
        speaker = await read_speaker(parts.log, asked.citizen_id, parts.now())
        await parts.tell_all(asked.citizen_id, speaker, text)
