"""What a check of an export comes to: what is right of each log, and what is wrong where."""

from dataclasses import dataclass, field

from services.audit.export import LogName, Manifest


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: in which log, file and position, as far as it is in one; None else."""

    how: str
    log: LogName | None = None
    file: str | None = None
    position: int | None = None


class Found(Exception):
    """Ends the check of a log at what is wrong first."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.how)
        self.finding = finding


@dataclass
class LogChecked:
    """What was found right of one log."""

    origin: str
    size: int
    root: bytes
    facts: int = 0
    entries: int = 0
    signed_by: list[str] = field(default_factory=list)
    witnessed: int | None = None
    cosigned_by: list[str] = field(default_factory=list)
    own_keys: bool = False
    indexed: int = 0
    """Up to which position the log indexes its tags, each as it is."""
    states: tuple[int, bytes] | None = None
    """How many subjects its facts are about, and the digest of all, if they were folded."""
    unread: int = 0
    """Facts of no kind that this program knows: with any, there is no such digest."""


@dataclass
class Checked:
    """An export that was checked: right, if nothing was found."""

    manifest: Manifest
    fingerprint: str
    logs: dict[LogName, LogChecked] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def take(self, log: LogName, came: LogChecked | Finding) -> None:
        """Take what came of a log."""
        if isinstance(came, Finding):
            self.findings.append(came)
        else:
            self.logs[log] = came
