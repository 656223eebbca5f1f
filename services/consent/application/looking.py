"""Whoever is shown something of a citizen's is recorded first; without that, nothing is shown.

What belongs to an act, the answer to a question or a use, is recorded as that act.
"""

from collections.abc import Sequence
from typing import Any

from services.consent.application.parts import Parts, requested
from services.consent.facts import DataRead
from services.consent.views import ConsentView
from shared import looks
from shared.looks import ReadFor


class Looking:
    """What goes out to readers, each with a fact."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def document(
        self,
        view: ConsentView,
        read_by: str,
        case_id: str | None = None,
        purpose: ReadFor | None = None,
    ) -> dict[str, Any]:
        """Return where a consent stands, once the look is recorded; `purpose` by default a role's.

        Raises `Unavailable` if it cannot be recorded.
        """
        document = view.document()
        await self.look(view, looks.shown(document), read_by, case_id, purpose)
        return document

    async def look(
        self,
        view: ConsentView,
        fields: Sequence[str],
        read_by: str,
        case_id: str | None = None,
        purpose: ReadFor | None = None,
    ) -> None:
        """Record that these fields are about to be shown; raises `Unavailable` if it cannot be."""
        asked = requested(view.consent)
        read = DataRead(
            look_id="",
            citizen_id=asked.citizen_id,
            consent_id=asked.consent_id,
            case_id=case_id,
            read_by=read_by,
            purpose=purpose or looks.purpose_of(read_by),
            fields=list(fields),
            read_at=self._parts.now(),
        )
        await looks.record(self._parts.log, [read])
