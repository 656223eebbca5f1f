"""Where something is asked, and by whom: by this the facts of what was rejected are found again."""

from typing import Any

PLACE = ("bank", "office", "site", "clerk")
"""The tags, each of which takes its value from the field of its name and `_id`."""


def place_of(asked: Any) -> dict[str, str | None]:
    """Return the fields that say where, as far as a question or another fact has them."""
    return {f"{noun}_id": getattr(asked, f"{noun}_id", None) for noun in PLACE}
