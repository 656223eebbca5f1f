"""How far policy may go: beyond these bounds a value would undo what the system is for.

One table. A bound is not policy itself, so two organisations cannot agree to be without it; it
changes with the program, and everyone sees that.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""Seconds."""


class Bound(NamedTuple):
    """The least and the most that a value may be (seconds, or a count), and why."""

    least: int
    most: int
    why: str


class Order(NamedTuple):
    """A value that may not be more than another, and why."""

    lesser: str
    greater: str
    why: str


BOUNDS = {
    "decide_within_counter": Bound(
        HOUR, 7 * DAY, "Whoever must answer at the counter answers the clerk."
    ),
    "decide_within_online": Bound(
        MINUTE, DAY, "The text takes a minute to read; a link left open is for a finder."
    ),
    "decide_within_max": Bound(
        HOUR, 30 * DAY, "What was explained a month ago is not known any more."
    ),
    "usable_for": Bound(5 * MINUTE, DAY, "An agreement that lies about is one for another's use."),
    "settles_after": Bound(
        DAY // 2, 30 * DAY, "What was written down this morning is not known this afternoon."
    ),
    "citizens_per_phone_max": Bound(
        1, 3, "More, unasked, is a drawer of phones, as in 2023 elsewhere."
    ),
    "family_phone_max": Bound(1, 10, "A household, not a counter."),
    "phone_change_waits_for": Bound(
        DAY, 30 * DAY, "Whoever holds the old phone must have had a day to say no."
    ),
    "confirm_after": Bound(
        15 * MINUTE, DAY // 2, "Not while still at the counter, nor with a code that came there."
    ),
    "confirm_within": Bound(
        DAY, 14 * DAY, "A day is needed to get home; silence has meant no some time."
    ),
    "cooling_off": Bound(DAY, 30 * DAY, "Within it a forged agreement is found."),
    "usable_after_cooling_off": Bound(
        HOUR, 7 * DAY, "The citizen must be able to come back, and to be done with it."
    ),
    "refusal_holds_for": Bound(
        30 * DAY, 1_826 * DAY, "Whoever is asked again and again has not been heard."
    ),
    "authority_told_within": Bound(HOUR, 72 * HOUR, "Law 91/2025 art. 23.1: 72 hours at most."),
    "device_clock_ahead_max": Bound(
        1, HOUR, "A device that is further ahead says nothing of when somebody was photographed."
    ),
    "code_lives_for": Bound(
        MINUTE, 15 * MINUTE, "A message takes a minute; later a code is for a finder."
    ),
    "page_lives_for": Bound(
        MINUTE, HOUR, "A phone is passed on; everything in one's name is on that page."
    ),
    "invitation_lives_for": Bound(
        HOUR, 14 * DAY, "A link in an old message makes nobody a witness."
    ),
    "witnesses_sign_within": Bound(
        5 * MINUTE, DAY, "Both were there when the citizen decided, and remember it."
    ),
    "code_tries_max": Bound(1, 10, "With six digits: at most 10 in 1,000,000 to guess one."),
    "codes_per_hour_max": Bound(
        1, 10, "With 10 tries each: at most 100 in 1,000,000 in an hour; a phone is no bell."
    ),
}
"""The bounds of every value."""

ORDERS = (
    Order("decide_within_counter", "decide_within_max", "What is given unasked can be asked for."),
    Order("decide_within_online", "decide_within_max", "What is given unasked can be asked for."),
    Order("citizens_per_phone_max", "family_phone_max", "What a bank allows is more than that."),
)
"""Which value may not be more than which."""


def out_of_bounds(values: Mapping[str, int]) -> Iterator[str]:
    """Yield what each value that goes too far is held to, its name first."""
    for name, bound in BOUNDS.items():
        if not bound.least <= values[name] <= bound.most:
            yield f"{name}: {bound.least} to {bound.most}"
    for order in ORDERS:
        if values[order.lesser] > values[order.greater]:
            yield f"{order.lesser}: at most {order.greater}"
