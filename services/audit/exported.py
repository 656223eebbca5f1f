"""One log of an export as a check reads it: what cannot be read is a finding in its place."""

from collections.abc import Iterator

from services.audit.export import (
    FACTS_PER_FILE,
    PATH,
    TILE_BYTES_MAX,
    BadExport,
    LogName,
    Manifest,
    facts_path,
    read_fact,
    tlog_path,
)
from services.audit.findings import Finding, Found
from services.audit.reading import Opened
from shared.ledger.recorder import StoredFact


class ExportedLog:
    """The facts and the public files of one log."""

    def __init__(self, export: Opened, manifest: Manifest, log: LogName) -> None:
        self.export, self.name = export, log
        self.said, self.subset = manifest.logs[log], manifest.subset

    def fetch(self, path: str) -> bytes:
        """Return one of the log's public files; raises `FileNotFoundError`, `Unreadable`."""
        return self.export.content(tlog_path(self.name, path), TILE_BYTES_MAX)

    def wrong(self, how: str, path: str | None = None, position: int | None = None) -> Found:
        """Return what is wrong with one of the log's public files."""
        file = None if path is None else tlog_path(self.name, path)
        return Found(Finding(how, self.name, file, position))

    def numbers(self) -> list[int]:
        """Return the numbers of the files of facts or proofs that are there."""
        parts = (path.split("/") for path in self.export.sizes if PATH.fullmatch(path))
        names = {one[2] for one in parts if one[:1] == [self.name] and one[1] != "tlog"}
        return sorted(int(name.removesuffix(".ndjson")) for name in names)

    def facts(self, number: int) -> Iterator[StoredFact]:
        """Return the facts of a file; raises `Found` for a line that is none, or not its own."""
        path, last = facts_path(self.name, number), (number - 1) * FACTS_PER_FILE
        first, end = last + 1, min(last + FACTS_PER_FILE, self.said.size)
        try:
            for line in self.export.lines(path):
                fact = read_fact(line)
                if not first <= fact.position <= end:
                    raise _misplaced(fact)
                last = fact.position
                yield fact
        except FileNotFoundError:
            raise Found(Finding("the file is missing", self.name, path)) from None
        except BadExport as error:
            position = last + 1 if self.subset is None else None
            raise Found(Finding(str(error), self.name, path, position)) from error


def _misplaced(fact: StoredFact) -> BadExport:
    return BadExport(f"position {fact.position:,} does not belong here")
