"""Before anything of a person's case is shown: the ground, once a case, and the record of the look.

Until then nothing is shown of it. Where a look cannot be recorded, nothing is shown either.
"""

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from services.audit.export import LogName
from services.audit.pages.cases import Case, at_place, read_case, tag_of_case
from services.audit.pages.looking import Ground, Look
from services.audit.pages.rendering import (
    SECURITY_HEADERS,
    NotHere,
    Rendering,
    address,
    lang_of,
)
from shared.contracts.fields import ID_PATTERN
from shared.looks import Inspected, LookGround

SEE_OTHER, MALFORMED = 303, 422
MASK = "…"

CALLER = re.compile(r"(citizen:)[^\s…]+")
"""A citizen who did something by themselves, as facts and tags name whoever did it."""


class Gating(Rendering):
    """What pages of persons inherit."""

    def is_open(self, case: Case) -> bool:
        """Tell whether a ground was given for a case; if so, the look is recorded.

        A case that names nobody is open. Raises `NotRecorded`.
        """
        if case.citizen_id is None:
            return True
        ground = self._parts.looking.ground(case.tag)
        if ground is None or not (case.consents or case.openings):
            return False
        self.record(case, ground)
        return True

    def record(self, case: Case, ground: Ground) -> None:
        """Record that a case is about to be shown; raises `NotRecorded`.

        One that names nobody shows nothing of anybody.
        """
        if case.citizen_id is not None and (case.consents or case.openings):
            self._parts.looking.look(self._look(case, case.citizen_id, ground))

    def ask(self, request: Request, case: Case, place: str, *, wrong: bool = False) -> Response:
        """Return the form in which the ground is given; `place` is what its address ends with."""
        return self.page(
            request,
            "ground.html",
            status=MALFORMED if wrong else 200,
            here="case",
            noun=case.subject.noun,
            empty=not (case.consents or case.openings),
            place=place,
            grounds=list(LookGround),
            count=len(case.happened),
            first=case.happened[0].at,
            last=case.happened[-1].at,
            before=self._parts.looking.latest,
            wrong=wrong,
        )

    def _look(self, case: Case, citizen_id: str, ground: Ground) -> Look:
        of: dict[LogName, Any] = {"consent": case.consents, "accounts": case.openings}
        there = {log: ids for log, ids in of.items() if log in self._parts.history.logs}
        own_page = case.subject.noun == "citizen"
        fields = [Inspected.OVERVIEW if own_page else Inspected.HISTORY]
        return Look(citizen_id, there, fields, ground)


class Grounds(Gating):
    """Takes the form."""

    def routes(self) -> APIRouter:
        """Return its route, and that of a citizen whom an address does not name."""
        router = APIRouter()
        router.get("/citizens/at/{log}/{position}")(self.masked)
        router.post("/ground/{place:path}")(self.give)
        return router

    def masked(self, request: Request, log: LogName, position: int) -> Response:
        """Ask for the ground to see the citizen whom a fact names; the address says which fact."""
        case = self._at(log, position)
        if self._parts.looking.ground(case.tag):
            return _to(case, request)
        return self.ask(request, case, f"at/{log}/{position}")

    def give(
        self,
        request: Request,
        place: str,
        ground: Annotated[str, Form()] = "",
        case_id: Annotated[str, Form(pattern=f"(?:^$|{ID_PATTERN})")] = "",
    ) -> Response:
        """Take the ground; the look is recorded when the case is shown."""
        case = self._of_place(place)
        if ground not in set(LookGround) or not case_id:
            return self.ask(request, case, place, wrong=True)
        self._parts.looking.give(case.tag, Ground(LookGround(ground), case_id))
        return _to(case, request)

    def _of_place(self, place: str) -> Case:
        match place.split("/"):
            case ["at", "consent" | "accounts" as log, position] if position.isdecimal():
                return self._at(log, int(position))
            case ["consent" | "opening" | "citizen" as noun, own_id]:
                return self._case(f"{noun}:{own_id}")
            case _:
                raise NotHere

    def _at(self, log: LogName, position: int) -> Case:
        found = at_place(self._parts.history, log, position)
        citizens = [one for one in found.stored.tags if one.startswith("citizen:")] if found else []
        if not citizens:
            raise NotHere
        return self._case(citizens[0])

    def _case(self, tag: str) -> Case:
        tag = tag_of_case(self._parts.history, [tag]) or tag
        case = read_case(self._parts.history, tag)
        if case is None:
            raise NotHere
        return case


def masked(document: Any) -> Any:
    """Return a document without the ids of persons in it."""
    match document:
        case dict():
            return {
                name: MASK if name in {"citizen_id", "expressed_by"} and one else masked(one)
                for name, one in document.items()
            }
        case list():
            return [masked(one) for one in document]
        case str():
            return CALLER.sub(rf"\1{MASK}", document)
        case _:
            return document


def pretty(document: Any) -> str:
    """Return a document as JSON that people read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _to(case: Case, request: Request) -> Response:
    subject = case.subject
    there = address(lang_of(request), "cases", subject.noun, subject.id)
    return RedirectResponse(there, SEE_OTHER, SECURITY_HEADERS)
