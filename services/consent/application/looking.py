"""Whoever is shown something of a citizen's is recorded first; without that, nothing is shown.

What belongs to an act, the answer to a question or a use, is recorded as that act.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from services.consent.application.parts import Parts, requested
from services.consent.facts import DataRead
from services.consent.views import ConsentView
from shared import looks
from shared.errors import Kind, Rejection
from shared.ledger.log import about
from shared.looks import Inspection, ReadFor


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
        purpose = purpose or looks.purpose_of(read_by)
        read = self._read(view, fields, read_by, purpose, case_id)
        await looks.record(self._parts.log, [read])

    async def look_at_all(
        self, views: Iterable[ConsentView], fields: Sequence[str], read_by: str
    ) -> None:
        """Record that these fields of each are about to be shown; raises `Unavailable`."""
        purpose = looks.purpose_of(read_by)
        reads = [self._read(view, fields, read_by, purpose) for view in views]
        await looks.record(self._parts.log, reads)

    async def witness(
        self, views: Iterable[ConsentView], fields: Sequence[str], witness_id: str
    ) -> None:
        """Record that a witness is about to be shown questions for which they were named."""
        by, purpose = f"witness:{witness_id}", ReadFor.WITNESSING
        reads = [self._read(view, fields, by, purpose) for view in views]
        await looks.record(self._parts.log, reads)

    async def inspect(self, inspection: Inspection) -> None:
        """Record what an inspector's own pages are about to show of questions to a citizen.

        Raises `Rejection` for a question with which that citizen has nothing to do.
        """
        log, at, reads = self._parts.log, self._parts.now(), list[DataRead]()
        for consent_id in inspection.ids:
            arm = about(f"consent:{consent_id}", f"citizen:{inspection.citizen_id}")
            if not await log.read(arm, limit=1, withheld=True):
                raise Rejection(Kind.UNKNOWN, "consent_unknown")
            read = DataRead(
                look_id="",
                citizen_id=inspection.citizen_id,
                consent_id=consent_id,
                case_id=inspection.case_id,
                read_by=inspection.read_by,
                purpose=ReadFor.SUPERVISION,
                fields=list(inspection.fields),
                read_at=at,
                ground=inspection.ground,
            )
            reads.append(read)
        await looks.record(log, reads)

    def _read(
        self,
        view: ConsentView,
        fields: Sequence[str],
        read_by: str,
        purpose: ReadFor,
        case_id: str | None = None,
    ) -> DataRead:
        asked = requested(view.consent)
        return DataRead(
            look_id="",
            citizen_id=asked.citizen_id,
            consent_id=asked.consent_id,
            case_id=case_id,
            read_by=read_by,
            purpose=purpose,
            fields=list(fields),
            read_at=self._parts.now(),
        )
