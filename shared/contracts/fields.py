"""The small types that request bodies and paths are made of, checked the same way everywhere."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from shared.canonical import nfc

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""Up to 64 letters, digits, hyphens, underscores: safe in a tag, a path and a file name."""


class Body(BaseModel):
    """What is sent or answered; what stands under a field is what the API's document says of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Input(Body):
    """What is sent: a field that is not documented is most often a slip of the pen."""

    model_config = ConfigDict(extra="forbid")


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
PathId = Annotated[str, Path(pattern=ID_PATTERN)]
CaseId = Annotated[str | None, Query(pattern=ID_PATTERN)]
"""The reader's own case, in which something of a citizen's is looked at; recorded with the look."""

SHA256_PATTERN = r"^[0-9a-f]{64}$"
PURPOSE_PATTERN = r"^[a-z][a-z0-9-]{0,63}$"

Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
"""A SHA-256 as 64 lower-case hexadecimal digits."""


def _composed(name: object) -> object:
    """Return a name as facts keep it, however its letters were typed."""
    return nfc(name) if isinstance(name, str) else name


Name = Annotated[
    str,
    BeforeValidator(_composed),
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
]
"""What a person reads: up to 200 characters in NFC, so that the same name is the same again."""

Purpose = Annotated[str, StringConstraints(pattern=PURPOSE_PATTERN)]


def _without_trunk_prefix(number: str) -> str:
    """Return the number; raises `ValueError` for one that is spelled with the 0 of calls at home.

    One phone must have one spelling, or its mark would not be recognised.
    """
    if number.startswith("+840"):
        raise ValueError("a Vietnamese number has no 0 behind +84")
    return number


Phone = Annotated[
    str,
    StringConstraints(pattern=r"^\+[1-9][0-9]{7,14}$"),
    AfterValidator(_without_trunk_prefix),
]
"""A phone number in E.164 form, such as +84912345678."""


EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 9000))
"""Times between which every time has a form in UTC."""


def _written(instant: object) -> object:
    """Return what may be a time; raises `ValueError` for a number, which has no zone."""
    if isinstance(instant, int | float) or (isinstance(instant, str) and "-" not in instant[1:]):
        raise ValueError("not a time with its zone (ISO 8601)")
    return instant


Timestamp = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A time with its zone, as RFC 3339 writes it."""


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Instant = Annotated[Timestamp, Field(ge=EARLIEST, le=LATEST), AfterValidator(_in_utc)]
"""A time with its zone, taken as UTC."""
