"""The history in an export: its facts by position, time, kind and tags, decoded or as they lie.

What is asked here is not checked: `verify` tells whether an export is what was sealed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec
from eventsourcing.dcb.api import DCBQueryItem

from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.accounts.states import NOUNS as OF_ACCOUNTS
from services.audit.export import (
    JWKS,
    BadExport,
    LogName,
    Manifest,
    facts_path,
    fingerprint,
    number_of,
    read_fact,
    read_manifest,
)
from services.audit.index import Entry, Index, Told, open_index
from services.audit.reading import Opened, opened_export
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.states import NOUNS as OF_CONSENT
from shared.ledger.facts import Recorded, UnknownFact, Vocabulary
from shared.ledger.recorder import StoredFact
from shared.ledger.states import Nouns

VOCABULARIES: Mapping[LogName, Vocabulary] = {"consent": CONSENT, "accounts": ACCOUNTS}
"""The facts of each log."""

NOUNS: Mapping[LogName, Nouns] = {"consent": OF_CONSENT, "accounts": OF_ACCOUNTS}
"""What each log is about."""

JWKS_BYTES_MAX = 1 << 20


class UnreadFact(BadExport):
    """A fact that this program does not know, or that is not of its kind's shape."""


class LogHistory:
    """One log of an export."""

    def __init__(self, export: Opened, manifest: Manifest, log: LogName) -> None:
        self.name = log
        self.size = manifest.logs[log].size
        self.origin = manifest.logs[log].origin
        self.vocabulary, self.nouns = VOCABULARIES[log], NOUNS[log]
        self._export = export
        named = {file.path for file in manifest.files}
        every = range(1, number_of(self.size) + 1) if self.size else ()
        whole = manifest.subset is None  # of a part, some files have no facts, and are not there
        self.numbers = [one for one in every if whole or facts_path(log, one) in named]

    def facts(self, *, after: int = 0, until: int | None = None) -> Iterator[StoredFact]:
        """Return the facts behind `after`, up to and with `until`, in order, read from the files.

        Raises `BadExport` for a line that is none, naming file and position, and `Unreadable`.
        """
        last = self.size if until is None else min(until, self.size)
        for number in self.numbers:
            if number_of(after + 1) <= number <= number_of(max(last, 1)):
                for fact in self._file(number):
                    if after < fact.position <= last:
                        yield fact

    def decoded(self, stored: StoredFact) -> Recorded:
        """Return a fact in its place, without what it says of persons; raises `UnreadFact`."""
        where = f"{self.name} at {stored.position:,}"
        try:
            fact = self.vocabulary.decode(stored.kind, stored.data)
        except UnknownFact:
            raise UnreadFact(f"{where}: this program knows no {stored.kind}") from None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UnreadFact(f"{where}: {error}") from error
        return Recorded(stored.position, stored.recorded_at, fact)

    def _file(self, number: int) -> Iterator[StoredFact]:
        path, before = facts_path(self.name, number), (number - 1, 0)
        try:
            for line in self._export.lines(path):
                fact = read_fact(line)
                before = (number, fact.position)
                yield fact
        except FileNotFoundError:
            raise BadExport(f"{path}: the file is missing") from None
        except BadExport as error:
            raise BadExport(f"{path}: behind position {before[1]:,}: {error}") from error


class FoundHistory(LogHistory):
    """One log of an export, with its index."""

    def __init__(self, export: Opened, manifest: Manifest, log: LogName, index: Index) -> None:
        super().__init__(export, manifest, log)
        self.index = index

    def found(
        self,
        *arms: DCBQueryItem,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
    ) -> list[StoredFact]:
        """Return the facts that match any of the arms, in order; raises as `facts`."""
        return list(self._read(self.index.entries(*arms, after=after, until=until, limit=limit)))

    def recorded(self, *arms: DCBQueryItem, until: int | None = None) -> list[Recorded]:
        """Return the facts that match any of the arms, decoded; raises as `facts`."""
        return [self.decoded(one) for one in self.found(*arms, until=until)]

    def at(self, position: int) -> StoredFact | None:
        """Return the fact of a position, None where there is none."""
        found = self.index.entries(after=position - 1, until=position)
        return next(self._read(found), None)

    def last(self) -> int:
        """Return the last position that is there, 0 if none is."""
        return self.index.position_at(datetime.max.replace(tzinfo=UTC))

    def _read(self, entries: Iterable[Entry]) -> Iterator[StoredFact]:
        for number, group in groupby(entries, key=lambda one: number_of(one.position)):
            path, wanted = facts_path(self.name, number), list(group)
            lines = self._export.lines_at(path, [one.start for one in wanted])
            for entry, line in zip(wanted, lines, strict=True):
                fact = read_fact(line)
                if fact.position != entry.position:
                    raise BadExport(f"{path}: another fact than when the index was made")
                yield fact


class History:
    """The logs of an export, and the public keys in it."""

    def __init__(self, export: Opened, manifest: Manifest, logs: Sequence[FoundHistory]) -> None:
        self.export, self.manifest = export, manifest
        self.logs: Mapping[LogName, FoundHistory] = {one.name: one for one in logs}

    def jwks(self) -> Mapping[str, object]:
        """Return the consent service's public keys, on the export's word; raises `BadExport`."""
        try:
            found: Mapping[str, object] = msgspec.json.decode(
                self.export.content(JWKS, JWKS_BYTES_MAX)
            )
        except (FileNotFoundError, msgspec.DecodeError) as error:
            raise BadExport(f"{JWKS}: no public keys: {error}") from error
        return found


def index(place: Path, told: Told) -> None:
    """Make the index of an export where there is none; raises as `open_history`."""
    with open_history(place, told):
        pass


@contextmanager
def open_history(place: Path, told: Told = lambda done, size: None) -> Iterator[History]:
    """Give the history in an export, indexed; raises `Unreadable`, `BadExport`.

    `told` hears how far the index is, where it has to be made first.
    """
    with opened_export(place) as export, ExitStack() as stack:
        content = export.manifest()
        manifest, name = read_manifest(content), fingerprint(content)
        logs = list[FoundHistory]()
        sizes = sum(one.size for one in manifest.logs.values())
        for log in manifest.logs:
            numbers = LogHistory(export, manifest, log).numbers
            done = sum(one.size for one in logs)

            def part(position: int, _: int, done: int = done) -> None:
                told(done + position, sizes)

            index = open_index(export, log, name, numbers, part)
            stack.callback(index.close)
            logs.append(FoundHistory(export, manifest, log, index))
        yield History(export, manifest, logs)
