"""`./run audit judge`: which laws hold of an export, without any network.

It reads the facts as they stand in it. Whether those are the facts that were sealed is what
`./run audit verify` says, and that comes first.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from services.audit.checking import JWKS_BYTES_MAX
from services.audit.export import JWKS, LOG_NAMES, Manifest, fingerprint, read_manifest
from services.audit.history import LogHistory
from services.audit.laws import LAWS, Judging, Violation
from services.audit.memory import uncollected
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
        consent, accounts = (LogHistory(export, manifest, log) for log in LOG_NAMES)
        size = consent.size + accounts.size
        with progress(doing, "facts", shown=shown) as told, uncollected():
            for one in judging.run(
                _counted(consent, 0, size, told), _counted(accounts, consent.size, size, told)
            ):
                found.append(one)
                if shown:
                    print(_sentence(one))
    seconds = time.perf_counter() - started
    if shown:
        print("\n".join(_summary(found, judging, size, seconds)))
    else:
        document = _document(found, judging, manifest, fingerprint(content))
        print(json.dumps({**document, "facts": size, "seconds": round(seconds, 3)}))
    return int(bool(found))


def _counted(log: LogHistory, before: int, size: int, told: Told) -> Iterator[StoredFact]:
    """Yield a log's facts in order, and tell how far that is; raises `Unreadable`, `BadExport`."""
    for fact in log.facts():
        yield fact
        if fact.position % TOLD_EVERY == 0 or fact.position == log.size:
            told(before + fact.position, size)


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
