"""The periods and counts that are policy, not law, in one place with their reasons."""

from dataclasses import dataclass
from datetime import timedelta

from shared.contracts.consent import Channel


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Values that an operator may set; the defaults are what we recommend."""

    decide_within_counter: timedelta = timedelta(hours=24)
    """Time to go home and think; silence is not consent (Law 91/2025 art. 9.4 d)."""

    decide_within_online: timedelta = timedelta(minutes=5)
    """The person is there with the phone; Open Finance Brasil uses the same."""

    decide_within_max: timedelta = timedelta(days=7)
    """The longest time that an asker may give."""

    usable_for: timedelta = timedelta(minutes=60)
    """From the decision to its one use; Open Finance Brasil uses the same."""

    refusal_holds_for: timedelta = timedelta(days=90)
    """How long the same bank or office may not ask a person who refused."""

    code_lives_for: timedelta = timedelta(minutes=5)
    """Long enough for a slow message, short enough to be of no use to a finder."""

    code_tries_max: int = 5
    """With six digits: at most 5 in 1,000,000 to guess one."""

    codes_per_hour_max: int = 5
    """Codes for one consent and decision in an hour: bounds guesses, and messages to a phone."""

    def decide_within(self, channel: Channel) -> timedelta:
        """Return the time to decide that a channel gives when the asker names none."""
        if channel is Channel.ONLINE:
            return self.decide_within_online
        return self.decide_within_counter
