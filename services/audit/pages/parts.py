"""What the pages are made of."""

from dataclasses import dataclass

from services.audit.checking import Trust
from services.audit.export import LOG_NAMES
from services.audit.history import FoundHistory, History
from services.audit.pages.looking import Looking
from services.audit.pages.verifying import Verifying


@dataclass(frozen=True)
class Parts:
    """An export that is open, whom the inspector trusts, and what is done beside the pages."""

    history: History
    fingerprint: str
    trust: Trust
    verifying: Verifying
    looking: Looking

    @property
    def logs(self) -> list[FoundHistory]:
        """Return the logs that are in the export, consent's first."""
        return [self.history.logs[one] for one in LOG_NAMES if one in self.history.logs]
