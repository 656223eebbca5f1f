"""What a citizen's form says: which button, language and side purposes, from where.

And that a child who is spoken for agrees too.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form

from services.consent.application.deciding import Pressed
from services.consent.pages.rendering import LangForm
from services.consent.pages.sides import YES, Sides, SidesPressed
from shared.contracts.consent import Decision
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection
from shared.web import Host


@dataclass(frozen=True, slots=True)
class Press:
    """A form as it came; whether its button is one of ours is only looked at by `pressed`."""

    decision: str
    lang: Lang
    host: str | None
    sides: Sides
    subject_agrees: bool

    def pressed(self) -> Pressed:
        """Return what was pressed; raises `Rejection` for a button that is none of ours."""
        try:
            decision = Decision(self.decision)
        except ValueError:
            raise Rejection(Kind.MALFORMED, "malformed") from None
        return Pressed(
            decision=decision,
            lang=self.lang,
            host=self.host,
            chosen=self.sides.chosen,
            alone=self.sides.alone,
            subject_agrees=self.subject_agrees,
        )


async def _press(
    host: Host,
    sides: SidesPressed,
    decision: Annotated[str, Form()] = "",
    subject_agrees: Annotated[str, Form()] = "",
    lang: LangForm = "vi",
) -> Press:
    return Press(decision, lang, host, sides, subject_agrees == YES)


PressForm = Annotated[Press, Depends(_press)]
