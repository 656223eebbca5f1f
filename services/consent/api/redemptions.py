"""The accounts service uses consents: one, or several at once, each by itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from services.consent.application.asking import Asking
from services.consent.redemptions import Redeem
from shared.contracts.fields import Body, Id, Input, PathId, Sha256
from shared.contracts.reasons import sentence
from shared.errors import Reason, Rejection
from shared.problems import Why
from shared.web import STATUS, Caller, Role, require

Service = Annotated[Caller, Depends(require(Role.SERVICE))]

REDEMPTIONS_MAX = 64
"""Redemptions in one call: as many as a body of the usual size has room for."""

USED = 201
"""The status of a use, alone and among others."""


class Redemption(Input):
    """The use of a consent for one command."""

    redemption_id: Id
    statement_hash: Sha256
    command_hash: Sha256
    officer_id: Id | None = None
    """Who decided at the bank, if the bank says."""

    approved_from: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The network address from which the bank decided; it is marked at once and never kept."""


class Redeemed(Body):
    """The consent was used; the receipt is a JWS."""

    receipt: str


class RedemptionOf(Redemption):
    """The use of one consent among several."""

    consent_id: Id


class Redemptions(Input):
    """Uses of consents for several commands, none of which waits for, or hangs on, another."""

    redemptions: Annotated[list[RedemptionOf], Field(min_length=1, max_length=REDEMPTIONS_MAX)]


class Outcome(Body):
    """What came of one of them: its status, and the receipt or the reasons, as if it were alone."""

    status: int
    receipt: str | None = None
    code: str = ""
    reasons: list[Why] = Field(default_factory=list)


class Outcomes(Body):
    """What came of each, in the order in which they were asked for."""

    outcomes: list[Outcome]


def routes(asking: Asking, now: Callable[[], datetime]) -> APIRouter:
    """Return the routes of redemptions."""
    router = APIRouter(tags=["consents"])

    @router.post("/consents/{consent_id}/redemptions", status_code=USED)
    async def redeem(consent_id: PathId, body: Redemption, service: Service) -> Redeemed:
        """Use a consent, once; the same redemption again gives the same receipt."""
        asked = redeem_of(consent_id, body, service.name, now())
        return Redeemed(receipt=await asking.redeem(asked, body.approved_from))

    @router.post("/redemptions")
    async def redeem_each(body: Redemptions, service: Service) -> Outcomes:
        """Use several consents, each once and each by itself; answers are in their order.

        Whatever comes of one changes nothing for another, and each may be asked for again.
        """
        at = now()
        asked = [
            (redeem_of(one.consent_id, one, service.name, at), one.approved_from)
            for one in body.redemptions
        ]
        outcomes = await asking.redeem_each(asked)
        return Outcomes(outcomes=[_outcome(one) for one in outcomes])

    return router


def redeem_of(consent_id: str, body: Redemption, redeemed_by: str, at: datetime) -> Redeem:
    """Return what a service asks for."""
    return Redeem(
        consent_id=consent_id,
        act=None,
        redemption_id=body.redemption_id,
        statement_hash=body.statement_hash,
        command_hash=body.command_hash,
        redeemed_by=redeemed_by,
        at=at,
        officer_id=body.officer_id,
    )


def why(reasons: Sequence[Reason]) -> list[Why]:
    """Return reasons with their sentences."""
    return [
        Why(
            code=one.code,
            en=sentence(one.code, "en"),
            vi=sentence(one.code, "vi"),
            positions=list(one.positions),
        )
        for one in reasons
    ]


def _outcome(came: str | Rejection) -> Outcome:
    if isinstance(came, str):
        return Outcome(status=USED, receipt=came)
    return Outcome(status=STATUS[came.kind], code=came.code, reasons=why(came.reasons))
