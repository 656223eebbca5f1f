"""The periods and counts that are policy, not law, in one place with their reasons.

They change by facts with dates (`services/consent/policies.py`), never here: what is written here
is version 0, by which everything was judged that names no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.consent import Channel, Grade, Waits


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One version of all values; the defaults are version 0."""

    version: int = 0
    """What facts name that were judged by it."""

    decide_within_counter: timedelta = timedelta(hours=24)
    """Time to go home and think; silence is not consent (Law 91/2025 art. 9.4 d)."""

    decide_within_online: timedelta = timedelta(minutes=5)
    """The person is there with the phone; Open Finance Brasil uses the same."""

    decide_within_max: timedelta = timedelta(days=7)
    """The longest time that an asker may give."""

    usable_for: timedelta = timedelta(minutes=60)
    """From the decision to its one use; Open Finance Brasil uses the same."""

    settles_after: timedelta = timedelta(hours=24)
    """How long before a question something must have been the citizen's to be known before it: a
    number that a clerk wrote down at the same counter proves nothing of the citizen's."""

    citizens_per_phone_max: int = 1
    """Citizens who may agree with one phone, unless a bank allows more: elsewhere in 2023, staff
    tied some 1,300 phones to 30 to 100 accounts each, to take the codes."""

    family_phone_max: int = 5
    """The most citizens that a bank can allow on one phone: a household, not a counter."""

    phone_change_waits_for: timedelta = timedelta(hours=72)
    """From asking for another phone until it counts: time for whoever holds the old one to see the
    warning, and to say no."""

    confirm_after: timedelta = timedelta(minutes=30)
    """From an agreement at a counter to the first moment at which it can be confirmed: by then the
    citizen holds the phone alone, whoever held it before."""

    confirm_within: timedelta = timedelta(hours=72)
    """From an agreement to the last moment for its confirmation; after it, silence has meant no."""

    cooling_off: timedelta = timedelta(hours=72)
    """From an agreement that nothing known before can confirm to the first moment of its use."""

    usable_after_cooling_off: timedelta = timedelta(hours=24)
    """From the end of that period to the last moment of the use: the citizen must come back."""

    refusal_holds_for: timedelta = timedelta(days=90)
    """How long the same bank or office may not ask a person who refused."""

    authority_told_within: timedelta = timedelta(hours=72)
    """From a dispute to the last moment for telling the authority (Law 91/2025 art. 23.1)."""

    device_clock_ahead_max: timedelta = timedelta(minutes=5)
    """How far the clock of an office's device may be ahead of ours."""

    code_lives_for: timedelta = timedelta(minutes=5)
    """Long enough for a slow message, short enough to be of no use to a finder."""

    page_lives_for: timedelta = timedelta(minutes=15)
    """Long enough to read everything in one's name, short enough for a phone that is passed on."""

    invitation_lives_for: timedelta = timedelta(hours=72)
    """From inviting a witness until their device must have answered."""

    witnesses_sign_within: timedelta = timedelta(hours=2)
    """From the first of two witnesses to the second: both were there when the citizen decided."""

    code_tries_max: int = 5
    """With six digits: at most 5 in 1,000,000 to guess one."""

    codes_per_hour_max: int = 5
    """Codes for one consent and decision in an hour: bounds guesses, and messages to a phone."""

    def waits_for(
        self, grade: Grade, channel: Channel, *, known_before: bool, phone_known: bool
    ) -> Waits | None:
        """Return what an agreement signed in this way waits for.

        A passkey, or a code while no clerk is near, is the citizen's own act at once. A code that
        was typed at a counter is not: the phone may have been in another's hand. Nor is a new
        passkey, which a code enrolled: where a phone was known before, it confirms.
        """
        if grade is Grade.KEY_UV and phone_known and not known_before:
            return Waits.CONFIRMATION
        if not known_before or grade is Grade.WITNESSED:
            return Waits.TIME
        if grade is Grade.OTP and channel is Channel.COUNTER:
            return Waits.CONFIRMATION
        return None

    def usable(self, at: datetime, waits_for: Waits | None) -> tuple[datetime, datetime]:
        """Return from when and until when what is signed at `at` counts.

        Of an agreement that waits for its confirmation: when it can be confirmed.
        """
        if waits_for is Waits.TIME:
            start = at + self.cooling_off
            return start, start + self.usable_after_cooling_off
        if waits_for is Waits.CONFIRMATION:
            return at + self.confirm_after, at + self.confirm_within
        return at, at + self.usable_for

    def sign_within(self, grade: Grade) -> timedelta:
        """Return how long what is asked for can be signed in a way."""
        return self.witnesses_sign_within if grade is Grade.WITNESSED else self.code_lives_for

    def decide_within(self, channel: Channel) -> timedelta:
        """Return the time to decide that a channel gives when the asker names none."""
        if channel is Channel.ONLINE:
            return self.decide_within_online
        return self.decide_within_counter

    def values(self) -> dict[str, int]:
        """Return every value by its name, as facts have it: whole seconds, or a count."""
        return {name: _plain(getattr(self, name)) for name in VALUES}

    @classmethod
    def of(cls, version: int, values: Mapping[str, int]) -> "Policy":
        """Return a version from what a fact has.

        A value that came to the program later was not in it, and is as in version 0.
        """
        known = {name: values[name] for name in VALUES if name in values}
        return cls(version=version, **{name: _typed(name, one) for name, one in known.items()})


VALUES: Mapping[str, Any] = {
    one.name: one.default for one in fields(Policy) if one.name != "version"
}
"""The names of all values, with those of version 0."""


def _plain(value: timedelta | int) -> int:
    return value if isinstance(value, int) else int(value.total_seconds())


def _typed(name: str, value: int) -> Any:
    return timedelta(seconds=value) if isinstance(VALUES[name], timedelta) else value
