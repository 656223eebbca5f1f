"""What a no looks like to whoever is told it (RFC 9457)."""

from pydantic import BaseModel


class Why(BaseModel):
    """One rule that stood in the way, and where in the log the facts lie that made it so."""

    code: str
    en: str
    vi: str
    positions: list[int]
    detail: str = ""


class Problem(BaseModel):
    """A no (RFC 9457): `code` is stable, the sentences may change."""

    type: str
    status: int
    code: str
    title: str = ""
    title_vi: str = ""
    reasons: list[Why] = []
