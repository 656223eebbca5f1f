"""Banks and clerks ask and look; anyone reads the public keys."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from services.consent.api.redemptions import Redemption, redeem_of, why
from services.consent.api.shapes import ConsentRead
from services.consent.application.asking import Asking
from services.consent.application.comparing import Compared, Comparing
from services.consent.application.looking import Looking
from services.consent.application.policies import Policies
from services.consent.application.stopping import Stopping
from services.consent.consents import Standing
from services.consent.disputes import Invalidate
from services.consent.facts import ConsentRequested, VoidFor
from services.consent.policy import Policy
from services.consent.views import ConsentView
from shared.claimed import Claimed
from shared.contracts.consent import ACCOUNTS, Channel
from shared.contracts.fields import Body, CaseId, Id, Input, PathId, Purpose, Sha256
from shared.errors import Kind, Rejection
from shared.ledger.log import Weighed
from shared.looks import ReadFor
from shared.oauth.scopes import Scope
from shared.problems import Why
from shared.signing import Signer
from shared.web import Caller, Host, Role, require

Asker = Annotated[Caller, Depends(require(Role.BANK, Role.CLERK, scope=Scope.CONSENTS))]
Reader = Annotated[
    Caller,
    Depends(require(Role.BANK, Role.CLERK, Role.SERVICE, Role.REGULATOR, scope=Scope.CONSENTS)),
]
Voider = Annotated[Caller, Depends(require(Role.BANK, Role.REGULATOR, scope=Scope.CONSENTS))]
Validator = Annotated[
    Caller,
    Depends(require(Role.SERVICE, Role.BANK, Role.CLERK, Role.REGULATOR, scope=Scope.CONSENTS)),
]
Bank = Annotated[Caller, Depends(require(Role.BANK, scope=Scope.CONSENTS))]

IDS_MAX = 5_000
"""Consents in one comparison."""

COMPARISON_BYTES_MAX = 2**19
"""So many ids of the longest kind, with room to spare."""


class Question(Input):
    """What a citizen is to be asked; a clerk names the place, a bank that asks online does not."""

    citizen_id: Id
    bank_id: Id
    product_id: Id
    terms_hash: Sha256
    purpose: Purpose
    office_id: Id | None = None
    site_id: Id | None = None
    clerk_id: Id | None = None
    decide_within_s: int | None = Field(default=None, ge=1, le=10**7)
    """Seconds to decide; by default what is policy at a counter, or online."""


class Asked(Body):
    """The question was put; the link is for the citizen."""

    consent_id: str
    link: str
    decide_by: datetime


class Verdict(Body):
    """What a use would come to, decided by all facts up to a position."""

    valid: bool
    reasons: list[Why]
    positions: list[int]
    """Where the facts lie that were looked at."""

    as_of: int


def routes(
    asking: Asking, looking: Looking, policies: Policies, now: Callable[[], datetime]
) -> APIRouter:
    """Return the routes around one consent."""
    router = APIRouter(tags=["consents"])

    @router.put("/consents/{consent_id}", status_code=201)
    async def ask(consent_id: PathId, body: Question, asker: Asker, host: Host) -> Asked:
        """Ask a citizen; the caller makes the id, and may repeat the call."""
        at = now()
        question = _question(consent_id, body, asker, await policies.at(at), at)
        link = await asking.ask(question, host, by_default=body.decide_within_s is None)
        view = await asking.consent(consent_id)
        return Asked(consent_id=consent_id, link=link, decide_by=_decide_by(view))

    @router.get("/consents/{consent_id}")
    async def read(consent_id: PathId, reader: Reader, case_id: CaseId = None) -> ConsentRead:
        """Tell where a consent stands, with the signed event once the citizen agreed.

        The look is recorded first, for the citizen to see: the reader, the fields, the case.
        """
        view = await asking.consent(consent_id)
        may_read(view, reader)
        return ConsentRead(**await looking.document(view, reader.name, case_id))

    @router.post("/consents/{consent_id}/validate")
    async def validate(consent_id: PathId, body: Redemption, caller: Validator) -> Verdict:
        """Tell whether the consent could be used now, with every reason why not; uses nothing.

        The same rules as for a use, and always 200: it is the verdict that says yes or no. It is a
        look at what the citizen decided, and recorded as one.
        """
        asked = redeem_of(consent_id, body, f"service:{ACCOUNTS}", now())
        if caller.role is not Role.SERVICE:
            view = await asking.consent(consent_id)
            may_read(view, caller)
            await looking.look(view, ["standing"], caller.name)
        return _verdict(await asking.validate(asked, body.approved_from))

    return router


class Comparison(Input):
    """Which consents; with `standing`, only those of them that stand in one of these ways."""

    consent_ids: Annotated[list[Id], Field(min_length=1, max_length=IDS_MAX)]
    standing: list[Standing] = Field(default_factory=list)


def comparison_routes(comparing: Comparing) -> APIRouter:
    """Return the route by which a bank compares its books."""
    router = APIRouter(tags=["consents"])

    @router.post("/standings", max_body_size=COMPARISON_BYTES_MAX)
    async def standings(body: Comparison, bank: Bank) -> Compared:
        """Tell where up to 5,000 consents stand; asks nobody and changes nothing.

        An id that is not the bank's own is in `unknown`, whoever's it is. Each that is told is a
        look at what the citizen decided, and recorded as one.
        """
        return await comparing.standings(body.consent_ids, bank.id, body.standing)

    return router


class Invalidation(Input):
    """Why a consent is void; it takes two organisations that say the same of the same case."""

    case_id: Id
    why: VoidFor


def invalidation_routes(stopping: Stopping, looking: Looking) -> APIRouter:
    """Return the route by which a consent is declared void."""
    router = APIRouter(tags=["consents"])

    @router.post("/consents/{consent_id}/invalidation")
    async def invalidate(
        consent_id: PathId, body: Invalidation, by: Voider, claimed: Claimed
    ) -> ConsentRead:
        """Propose that a consent is void, or carry out what another organisation proposed."""
        asked = Invalidate(consent_id=consent_id, by=by.name, **body.model_dump())
        async with claimed:
            view = await stopping.invalidate(asked)
            shown = await looking.document(view, by.name, body.case_id, ReadFor.INVALIDATION)
        return ConsentRead(**shown)

    return router


def key_routes(signer: Signer) -> APIRouter:
    """Return the route of the public keys."""
    router = APIRouter(tags=["keys"])

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """Give every key that ever signed, with its validity."""
        return signer.public_keys()

    return router


def _question(
    consent_id: str, body: Question, asker: Caller, policy: Policy, at: datetime
) -> ConsentRequested:
    channel = Channel.COUNTER if asker.role is Role.CLERK else Channel.ONLINE
    fields = body.model_dump()
    seconds = fields.pop("decide_within_s")
    given = timedelta(seconds=seconds) if seconds else policy.decide_within(channel)
    return ConsentRequested(
        consent_id=consent_id,
        channel=channel,
        asked_by=asker.name,
        asked_at=at,
        decide_by=at + given,
        **fields,
    )


def _verdict(weighed: Weighed) -> Verdict:
    reasons = weighed.rejection.reasons if weighed.rejection else ()
    return Verdict(
        valid=weighed.rejection is None,
        reasons=why(reasons),
        positions=list(weighed.positions),
        as_of=weighed.head,
    )


def _decide_by(view: ConsentView) -> datetime:
    if view.consent.requested is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    return view.consent.requested.decide_by


def may_read(view: ConsentView, reader: Caller) -> None:
    """Let a bank see its own consents, a clerk those that the clerk asked for; hide all others."""
    asked = view.consent.requested
    own = {Role.BANK: asked and asked.bank_id, Role.CLERK: asked and asked.clerk_id}
    if reader.role in own and own[reader.role] != reader.id:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
