"""Checks the export while its pages are looked at already, and says how far that is."""

import threading
from dataclasses import dataclass
from pathlib import Path

from services.audit.checking import Checked, Trust, check
from services.audit.export import BadExport
from services.audit.reading import Unreadable, opened_export


@dataclass(frozen=True)
class State:
    """How far it is, and what it came to: `checked` and `failed` are None until then."""

    done: int = 0
    size: int = 0
    checked: Checked | None = None
    failed: str | None = None

    @property
    def over(self) -> bool:
        """Tell whether nothing more comes."""
        return self.checked is not None or self.failed is not None


class Verifying:
    """One check of an export, in a thread of its own; it opens the export by itself."""

    def __init__(self, place: Path, trust: Trust) -> None:
        self._place, self._trust = place, trust
        self._thread = threading.Thread(target=self._run, name="verifying", daemon=True)
        self.state = State()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def _run(self) -> None:
        try:
            with opened_export(self._place) as export:
                checked = check(export, self._trust, self._told)
            self.state = State(self.state.size, self.state.size, checked=checked)
        except (Unreadable, BadExport, OSError) as error:
            self.state = State(self.state.done, self.state.size, failed=str(error))

    def _told(self, done: int, size: int) -> None:
        self.state = State(done, size)
