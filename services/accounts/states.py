"""What this log is about, and the rules' own folding of each: what can be asked of any moment.

The service tells the digest of all these states at a position; whoever has the log folds it anew
and must come to the same (`shared/ledger/states.py`).
"""

import msgspec
from msgspec import Struct, structs

from services.accounts import answers, openings, reconciliation, stops
from services.accounts.answers import Answered
from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    LinesReconciled,
    OpeningRejected,
    ReconciliationDone,
    ReconciliationStarted,
    StopReceived,
)
from services.accounts.openings import Opening
from services.accounts.reconciliation import Known
from services.accounts.stops import Affected
from shared import claims
from shared.claims import RequestClaimed
from shared.hearing import webhooks
from shared.hearing.facts import CHANGING
from shared.hearing.webhooks import Webhooks
from shared.ledger.facts import Recorded
from shared.ledger.states import Noun, Nouns


class Account(Struct, frozen=True):
    """What came of an opening: what was tried and allowed, and the bank's answer."""

    opening: Opening = msgspec.field(default_factory=Opening)
    answered: Answered = msgspec.field(default_factory=Answered)


def _answered(account: Account, recorded: Recorded) -> Account:
    return structs.replace(
        account,
        opening=openings.evolve(account.opening, recorded),
        answered=answers.evolve(account.answered, recorded),
    )


OF_OPENINGS = frozenset(
    {
        *(AccountOpened, OpeningRejected, AccountConfirmed, AccountDeclined, AccountFrozen),
        *(AccountFrozenByBank, AccountClosed),
    }
)
OF_RECONCILIATIONS = frozenset({ReconciliationStarted, LinesReconciled, ReconciliationDone})
OF_CONSENTS = frozenset({AccountOpened, StopReceived, AccountFrozen})

NOUNS = Nouns(
    [
        Noun("opening", OF_OPENINGS, Account(), _answered),
        Noun("consent", OF_CONSENTS, Affected(), stops.evolve),
        Noun("reconciliation", OF_RECONCILIATIONS, Known(), reconciliation.known),
        Noun("request", frozenset({RequestClaimed}), None, claims.evolve),
        Noun("bank", frozenset(CHANGING), Webhooks(), webhooks.evolve),
    ]
)
"""Everything that has a state in this log."""
