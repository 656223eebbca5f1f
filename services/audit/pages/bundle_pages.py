"""Evidence of one matter to take away: made from the export, checked, and handed out as a zip.

It holds what both logs have of everybody concerned, so each of their cases is looked at by it, on
the ground that the form asks for, and all of these looks are recorded first.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from services.audit.bundle import About, Noun
from services.audit.bundling import NotBundled, make_bundle
from services.audit.pages.cases import Case, read_case
from services.audit.pages.gating import MALFORMED, Gating
from services.audit.pages.looking import Ground
from services.audit.pages.rendering import SECURITY_HEADERS, NotHere
from shared.contracts.fields import ID_PATTERN
from shared.ledger.log import about
from shared.ledger.states import Subject
from shared.looks import LookGround

OF = {
    "consent": Noun.INCIDENT,
    "opening": Noun.ACCOUNT,
    "citizen": Noun.CITIZEN,
    "clerk": Noun.CLERK,
    "office": Noun.OFFICE,
}
"""What a bundle is about, by what a page is about."""

CASES_MAX = 1_000
"""Cases in one bundle, each of them a look; larger ones are made by the command."""


class BundlePages(Gating):
    """These pages."""

    def routes(self) -> APIRouter:
        """Return their routes."""
        router = APIRouter()
        router.get("/bundles/{noun}/{own_id}")(self.form)
        router.post("/bundles/{noun}/{own_id}")(self.make)
        return router

    def form(self, request: Request, noun: str, own_id: str) -> Response:
        """Ask for the ground."""
        return self._form(request, noun, own_id)

    def make(
        self,
        request: Request,
        noun: str,
        own_id: str,
        ground: Annotated[str, Form()] = "",
        case_id: Annotated[str, Form(pattern=f"(?:^$|{ID_PATTERN})")] = "",
    ) -> Response:
        """Record each look, make the bundle, and give it."""
        if ground not in set(LookGround) or not case_id:
            return self._form(request, noun, own_id, wrong=True)
        cases = self._cases(noun, own_id)
        for case in cases:
            self.record(case, Ground(LookGround(ground), case_id))
        folder = TemporaryDirectory(prefix="bundle-")
        place = Path(folder.name) / f"{noun}-{own_id}.zip"
        try:
            make_bundle(self._parts.history.export, About(OF[noun], [own_id]), place)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            place,
            filename=place.name,
            media_type="application/zip",
            headers=SECURITY_HEADERS,
            background=BackgroundTask(folder.cleanup),
        )

    def _form(self, request: Request, noun: str, own_id: str, *, wrong: bool = False) -> Response:
        cases = self._cases(noun, own_id)
        return self.page(
            request,
            "bundle.html",
            status=MALFORMED if wrong else 200,
            here="place",
            noun=noun,
            own_id=own_id,
            shown=noun in {"clerk", "office"},
            count=len(cases),
            grounds=list(LookGround),
            before=self._parts.looking.latest,
            wrong=wrong,
        )

    def _cases(self, noun: str, own_id: str) -> list[Case]:
        """Return the cases of everybody concerned; raises `NotHere` for none, or `NotBundled`."""
        if noun not in OF:
            raise NotHere
        if noun in {"consent", "opening", "citizen"}:
            case = read_case(self._parts.history, f"{noun}:{own_id}")
            if case is None:
                raise NotHere
            return [case]
        tags = set(self._concerned(f"{noun}:{own_id}"))
        found = [read_case(self._parts.history, tag) for tag in sorted(tags)[: CASES_MAX + 1]]
        if not found:
            raise NotHere
        if len(found) > CASES_MAX:
            raise NotBundled(f"more than {CASES_MAX:,} cases: ./run audit bundle makes it")
        return [one for one in found if one is not None]

    def _concerned(self, tag: str) -> Iterator[str]:
        """Yield the tags of the questions and openings that a place's facts name."""
        for log in self._parts.history.logs.values():
            for stored in log.found(about(tag)):
                own = {Subject.of(one).noun: one for one in stored.tags}
                if found := own.get("consent") or own.get("opening"):
                    yield found
