"""Checks and judges the export while its pages are looked at already, and says how far that is."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.audit.checking import Trust, check
from services.audit.export import LOG_NAMES, BadExport, LogName
from services.audit.findings import Checked
from services.audit.history import History, open_history
from services.audit.laws import Violation, judge
from services.audit.reading import Unreadable, opened_export

VIOLATIONS_MAX = 1_000
"""As many are kept; the others are counted."""


@dataclass(frozen=True)
class Judged:
    """What the laws came to: the first violations, and how many there are of each law.

    `failed` says why they could not be judged, None where they were.
    """

    violations: Sequence[Violation] = ()
    counts: Mapping[int, int] = field(default_factory=dict)
    failed: str | None = None

    def at(self, log: LogName, position: int) -> list[Violation]:
        """Return what a fact has part in that breaks a law."""
        own = (one for one in self.violations if one.log == log)
        return [one for one in own if position in one.positions]


@dataclass(frozen=True)
class State:
    """How far it is, and what it came to: None until then.

    `judged` stays None where there is nothing to be judged: of a part of a log, or of one alone.
    """

    done: int = 0
    size: int = 0
    checked: Checked | None = None
    failed: str | None = None
    judged: Judged | None = None
    over: bool = False


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
            self.state = replace(self.state, checked=checked)
            with open_history(self._place) as history:
                self.state = replace(self.state, judged=judged(history))
        except (Unreadable, BadExport, OSError) as error:
            self.state = replace(self.state, failed=str(error))
        self.state = replace(self.state, over=True)

    def _told(self, done: int, size: int) -> None:
        self.state = State(done, size)


def judged(history: History) -> Judged | None:
    """Return what the laws say of an export, None where they can say nothing.

    What is missing from a part of a log would look like a violation.
    """
    if history.manifest.subset or set(history.logs) != set(LOG_NAMES):
        return None
    consent, accounts = (history.logs[one].facts() for one in LOG_NAMES)
    try:
        return _collected(judge(consent, accounts, history.jwks()))
    except (BadExport, ValueError) as error:
        return Judged(failed=str(error))


def _collected(found: Iterable[Violation]) -> Judged:
    kept, counts = list[Violation](), Counter[int]()
    for one in found:
        counts[one.law] += 1
        if len(kept) < VIOLATIONS_MAX:
            kept.append(one)
    return Judged(kept, counts)
