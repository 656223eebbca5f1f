"""Side purposes on the citizen's pages: a card with its own yes and no for each, none chosen.

Of two radio buttons none is checked, and what a form does not say, or says twice, is no: silence is
not consent (Law 91/2025 art. 9.4 d).
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request

from services.consent.consents import Consent, Standing
from services.consent.notices import SideText
from services.consent.pages.words import WORDS
from services.consent.purposes import WITHDRAWABLE, SideStanding, agreed_sides, taken_alone
from services.consent.views import ConsentView
from shared.contracts.consent import Decision, Statement
from shared.contracts.reasons import Lang

FIELD = "side-"
"""What the name of a card's field begins with; the purpose follows."""

YES = "yes"
"""The one value that agrees."""

CHOOSING = frozenset({Decision.GIVEN, Decision.CONFIRMED})
"""The decisions with which side purposes are agreed to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What a form says of side purposes: those with a yes, and one to take back by itself."""

    chosen: frozenset[str]
    alone: str | None


async def _pressed(request: Request, purpose: Annotated[str, Form()] = "") -> Sides:
    form = await request.form()
    fields = {name for name in form if name.startswith(FIELD) and form.getlist(name) == [YES]}
    chosen = frozenset(name.removeprefix(FIELD) for name in fields)
    return Sides(chosen=chosen, alone=purpose or None)


SidesPressed = Annotated[Sides, Depends(_pressed)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One side purpose as a page shows it: `says` where it stands."""

    purpose: str
    title: str
    meaning: str
    says: str = ""
    withdrawable: bool = False
    agreed: bool = False


def cards(view: ConsentView, texts: tuple[SideText, ...], lang: Lang) -> list[Card]:
    """Return the side purposes of a consent and where each stands."""
    return [
        Card(
            purpose=one.purpose,
            title=one.title,
            meaning=one.meaning,
            says=WORDS[lang][f"side_{_stands(view, one.purpose)}"],
            withdrawable=_withdrawable(view, one.purpose),
        )
        for one in texts
    ]


def signed_cards(statement: Statement, texts: tuple[SideText, ...]) -> list[Card]:
    """Return the side purposes that are about to be signed, with a yes or a no each."""
    if statement.decision not in CHOOSING:
        return []
    agreed = agreed_sides(statement)
    return [
        Card(
            purpose=one.purpose,
            title=one.title,
            meaning=one.meaning,
            agreed=one.purpose in agreed,
        )
        for one in texts
    ]


def card_alone(
    consent: Consent, statement: Statement, texts: tuple[SideText, ...]
) -> SideText | None:
    """Return the side purpose that a statement takes back by itself."""
    taken = taken_alone(consent, statement)
    return next((one for one in texts if one.purpose == taken), None)


def _stands(view: ConsentView, purpose: str) -> str:
    """Return the name of the words: what was agreed to may wait, or be over, with its agreement."""
    stands = view.sides[purpose]
    if stands is not SideStanding.NOT_GIVEN or purpose not in view.consent.sides:
        return stands
    return "waiting" if view.standing is Standing.WAITING else "over"


def _withdrawable(view: ConsentView, purpose: str) -> bool:
    side = view.consent.sides.get(purpose)
    return side is not None and side.withdrawn is None and view.standing in WITHDRAWABLE
