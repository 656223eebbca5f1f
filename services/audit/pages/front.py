"""The seal, the search, a day, a fact with its proof: pages of no person."""

from datetime import date
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from services.audit.export import BadExport, LogName
from services.audit.history import FoundHistory
from services.audit.laws import LAWS
from services.audit.pages.cases import Case, Happened, at_place, read_case, tag_of_case
from services.audit.pages.drawing import tree
from services.audit.pages.gating import Gating, masked, pretty
from services.audit.pages.proving import Proven, prove
from services.audit.pages.rendering import (
    SECURITY_HEADERS,
    NotHere,
    address,
    lang_of,
    local_day,
    short,
)
from services.audit.pages.seals import read_seal
from services.audit.pages.searching import NOUNS, Found, facts_of, search
from shared.clock import start_of
from shared.contracts.reasons import Lang
from shared.ledger.states import Subject

PLACES = ("clerk", "office", "site", "bank", "suspension")
"""What is found under its own name, and is nobody's case."""


class Front(Gating):
    """These pages."""

    def routes(self) -> APIRouter:
        """Return their routes."""
        router = APIRouter()
        router.get("/")(self.seal)
        router.get("/search")(self.search)
        router.get("/days/{day}/{log}")(self.day)
        router.get("/facts/{log}/{position}")(self.fact)
        router.get("/proofs/{log}/{position}.tlog-proof")(self.proof)
        return router

    def seal(self, request: Request) -> Response:
        """Show what the export is, and whether it is right."""
        manifest, trust = self._parts.history.manifest, self._parts.trust
        origins = [one.origin for one in manifest.logs.values()]
        return self.page(
            request,
            "seal.html",
            here="seal",
            state=self._parts.verifying.state,
            fingerprint=self._parts.fingerprint,
            taken_at=manifest.taken_at,
            subset=manifest.subset,
            laws=len(LAWS),
            trusted=all(trust.keys_of(one) for one in origins),
            logs=[self._log(one) for one in self._parts.logs],
        )

    def search(self, request: Request, q: str = "") -> Response:
        """Show what a text finds."""
        history, lang = self._parts.history, lang_of(request)
        results, logs = search(history, q), [one.name for one in self._parts.logs]
        groups = [(noun, [one for one in results.subjects if one.noun == noun]) for noun in NOUNS]
        shown = [(noun, [_linked(one, lang) for one in found]) for noun, found in groups if found]
        return self.page(
            request, "search.html", here="search", results=results, groups=shown, logs=logs
        )

    def day(self, request: Request, day: date, log: LogName, after: int = 0) -> Response:
        """Show the facts of a day, without what they say."""
        page = facts_of(self._log_named(log), day, after)
        shown = local_day(start_of(day), lang_of(request))
        return self.page(
            request, "day.html", here="search", log=log, on=day, shown=shown, page=page
        )

    def fact(self, request: Request, log: LogName, position: int) -> Response:
        """Show a fact and its proof; what it says of somebody's case only to whoever opened it."""
        fact, lang = self._found(log, position), lang_of(request)
        tag = tag_of_case(self._parts.history, fact.stored.tags)
        case = read_case(self._parts.history, tag) if tag else None
        said = self._said(fact, case)
        proven, unproved = self._proven(fact)
        return self.page(
            request,
            "fact.html",
            here="search",
            fact=fact,
            size=self._log_named(log).size,
            case=_case(tag, fact, lang, known=bool(said)) if tag else None,
            said=said,
            tags=fact.stored.tags if case and not case.refused else masked(fact.stored.tags),
            proven=proven,
            unproved=unproved,
            tree=tree.draw(proven) if proven else None,
        )

    def proof(self, log: LogName, position: int) -> Response:
        """Give the proof of a fact to keep (C2SP tlog-proof)."""
        fact = self._found(log, position)
        proven = prove(self._parts.history, self._log_named(log), fact.stored, self._parts.trust)
        name = f"{log}-{position}.tlog-proof"
        headers = {**SECURITY_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return PlainTextResponse(proven.proof.text(), headers=headers)

    def _log_named(self, log: LogName) -> FoundHistory:
        if log not in self._parts.history.logs:
            raise NotHere
        return self._parts.history.logs[log]

    def _found(self, log: LogName, position: int) -> Happened:
        found = at_place(self._parts.history, log, position)
        if found is None:
            raise NotHere
        return found

    def _log(self, log: FoundHistory) -> dict[str, Any]:
        """Return what the front page says of a log."""
        export, trust, index = self._parts.history.export, self._parts.trust, log.index
        first, last = index.entries(limit=1), index.entries(after=log.last() - 1)
        return {
            "name": log.name,
            "origin": log.origin,
            "size": log.size,
            "root": self._parts.history.manifest.logs[log.name].root,
            "first": first[0].recorded_at if first else None,
            "last": last[0].recorded_at if last else None,
            "sealed": read_seal(export, log.name, trust, witnessed=False),
            "witnessed": read_seal(export, log.name, trust, witnessed=True),
            "counts": sorted(index.counts().items(), key=lambda one: (-one[1], one[0])),
        }

    def _said(self, fact: Happened, case: Case | None) -> str | None:
        """Return what a fact says; None of somebody's case that was not opened."""
        if case is not None and not self.is_open(case):
            return None
        document = msgspec.json.decode(fact.stored.data)
        return pretty(document if case and not case.refused else masked(document))

    def _proven(self, fact: Happened) -> tuple[Proven | None, str | None]:
        log = self._log_named(fact.log)
        try:
            return prove(self._parts.history, log, fact.stored, self._parts.trust), None
        except BadExport as error:
            return None, str(error)


def _linked(found: Found, lang: Lang) -> dict[str, Any]:
    """Return a search's result with its address; that of a citizen does not name them."""
    if found.noun in PLACES:
        link = address(lang, "places", found.noun, found.id)
    elif found.id:
        link = address(lang, "cases", found.noun, found.id)
    else:
        link = address(lang, "citizens", "at", found.log, found.position)
    names = ("noun", "text", "log", "position", "name", "id")
    return {**{name: getattr(found, name) for name in names}, "link": link}


def _case(tag: str, fact: Happened, lang: Lang, *, known: bool) -> dict[str, str]:
    """Return how a fact's case is named, and its address; of a citizen neither says who."""
    subject = Subject.of(tag)
    if subject.noun == "citizen" and not known:
        link = address(lang, "citizens", "at", fact.log, fact.position)
        return {"noun": subject.noun, "text": "", "link": link}
    link = address(lang, "cases", subject.noun, subject.id)
    return {"noun": subject.noun, "text": short(subject.id), "link": link}
