"""`./run audit judge`: which laws hold of an export, without any network.

It reads the facts as they stand in it. Whether those are the facts that were sealed is what
`./run audit verify` says, and that comes first.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from services.audit.checking import JWKS_BYTES_MAX
from services.audit.export import (
    JWKS,
    LOG_NAMES,
    BadExport,
    LogName,
    Manifest,
    facts_path,
    fingerprint,
    number_of,
    read_fact,
    read_manifest,
)
from services.audit.laws import LAWS, Judging, Violation
from services.audit.reading import Opened, Unreadable, opened_export
from shared.ledger.recorder import StoredFact
from shared.progress import Told, progress

DESCRIPTION = """Judges an export of both logs, a folder or a zip, by the laws in docs/audit.md.
Without any network. Check it with `verify` first: what is judged is what stands in it."""

TOLD_EVERY = 1_000
"""Facts between two words on how far it is."""

PLACES_MAX = 10
"""Positions that are told to people of what breaks no law; programs are told all."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `judge` takes."""
    parser.description = DESCRIPTION
    parser.set_defaults(verb=_judge, undone="cannot be judged")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _judge(arguments: argparse.Namespace) -> int:
    started, shown = time.perf_counter(), not arguments.json
    with opened_export(arguments.export) as export:
        content = export.manifest()
        manifest = read_manifest(content)
        judging = _judging(export, manifest)
        if shown:
            print(f"judging {fingerprint(content)} as it stands; `verify` says if it was sealed so")
        found = list[Violation]()
        doing = f"judging {arguments.export.name}"
        with progress(doing, "facts", shown=shown) as told, _uncollected():
            reading = _Reading(export, manifest, told)
            for one in judging.run(reading.facts("consent"), reading.facts("accounts")):
                found.append(one)
                if shown:
                    print(_sentence(one))
    seconds = time.perf_counter() - started
    if shown:
        print("\n".join(_summary(found, judging, reading.done, seconds)))
    else:
        document = _document(found, judging, manifest, fingerprint(content))
        print(json.dumps({**document, "facts": reading.done, "seconds": round(seconds, 3)}))
    return int(bool(found))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no rings in memory meanwhile: there are none, and looking takes a sixth longer."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Reading:
    """Reads the facts of an export, and tells how far it is."""

    def __init__(self, export: Opened, manifest: Manifest, told: Told) -> None:
        self._export, self._logs, self._told = export, manifest.logs, told
        self._size = sum(one.size for one in manifest.logs.values())
        self.done = 0

    def facts(self, log: LogName) -> Iterator[StoredFact]:
        """Yield a log's facts in order; raises `Unreadable`, `BadExport`."""
        size = self._logs[log].size
        for number in range(1, number_of(size) + 1 if size else 1):
            path = facts_path(log, number)
            try:
                for line in self._export.lines(path):
                    yield read_fact(line)
                    self._count()
            except FileNotFoundError:
                raise Unreadable(f"{path} is missing") from None
            except BadExport as error:
                raise BadExport(f"{path}: {error}") from error

    def _count(self) -> None:
        self.done += 1
        if self.done % TOLD_EVERY == 0 or self.done == self._size:
            self._told(self.done, self._size)


def _judging(export: Opened, manifest: Manifest) -> Judging:
    """Return what judges an export of both logs under its own keys; raises `Unreadable`."""
    if manifest.subset is not None:
        raise Unreadable("it is a part of the logs, and laws are about whole ones")
    if missing := [log for log in LOG_NAMES if log not in manifest.logs]:
        raise Unreadable(f"the log of {missing[0]} is not in it, and laws are about both")
    try:
        return Judging(msgspec.json.decode(export.content(JWKS, JWKS_BYTES_MAX)))
    except (FileNotFoundError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"there are no public keys (JWK set) in {JWKS}") from error


def _sentence(one: Violation) -> str:
    places = ", ".join(f"{position:,}" for position in one.positions)
    return f"LAW {one.law}: {one.log} {places}: {one.sentence}"


def _summary(found: list[Violation], judging: Judging, facts: int, seconds: float) -> Iterator[str]:
    """Yield what judging came to, for people: each law that was broken in both languages."""
    for number in sorted({one.law for one in found}):
        law, times = LAWS[number], sum(one.law == number for one in found)
        yield f"law {number}, broken {times:,} times: {law.en} ({law.source})"
        yield f"  {law.vi}"
    pending, ahead = judging.pending(), judging.ahead()
    if pending:
        yield f"used, and no account yet: {len(pending):,}, {_places('consent', pending)}"
    if ahead:
        yield f"of a later day, to be judged then: {len(ahead):,}, {_places('accounts', ahead)}"
    if not found:
        rate = f"{facts / seconds:,.0f} a second"
        yield f"right: all {len(LAWS)} laws hold of {facts:,} facts, {rate}"


def _places(log: str, positions: list[int]) -> str:
    first = ", ".join(f"{one:,}" for one in positions[:PLACES_MAX])
    return f"{log} {first}{' …' if len(positions) > PLACES_MAX else ''}"


def _document(
    found: list[Violation], judging: Judging, manifest: Manifest, digest: str
) -> dict[str, Any]:
    """Return what judging came to, for programs."""
    return {
        "right": not found,
        "fingerprint": digest,
        "taken_at": manifest.taken_at.isoformat(),
        "laws": {
            number: {"vi": law.vi, "en": law.en, "source": law.source}
            for number, law in LAWS.items()
        },
        "violations": [one._asdict() for one in found],
        "pending": judging.pending(),
        "ahead": judging.ahead(),
    }
