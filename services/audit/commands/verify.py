"""`./run audit verify`: whether an export is what was sealed, and continues an earlier one."""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.audit.apart import check_apart
from services.audit.checking import Trust, check
from services.audit.commands import trusting
from services.audit.comparing import compare
from services.audit.findings import Checked
from services.audit.history import index
from services.audit.memory import uncollected
from services.audit.reading import Opened, opened_export
from services.audit.telling import checked_document, checked_sentences, finding_sentence
from shared.progress import Told, progress

DESCRIPTION = """Checks an export, a folder or a zip; of two, that the later continues the earlier.
Without any network."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `verify` takes."""
    parser.description = DESCRIPTION
    parser.set_defaults(verb=_verify, undone="cannot be checked")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    parser.add_argument("later", type=Path, nargs="?", metavar="LATER", help="a later one")
    trusting.add(parser)
    parser.add_argument(
        "--states", action="store_true", help="tell the digest of all states, too (see replay)"
    )
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="check the logs at the same time"
    )
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _verify(arguments: argparse.Namespace) -> int:
    started, brought = time.perf_counter(), trusting.trust(arguments)
    with _check(arguments.export, brought, arguments) as first:
        if arguments.later is None:
            last, earlier, findings = first[1], None, first[1].findings
        else:
            with _check(arguments.later, brought, arguments) as second:
                last, earlier = second[1], first[1]
                findings = [*earlier.findings, *last.findings] or compare(first, second)
    seconds = time.perf_counter() - started
    if arguments.json:
        print(json.dumps(checked_document(last, earlier, findings, seconds)))
    elif findings:
        print("\n".join(map(finding_sentence, findings)))
    else:
        print("\n".join(checked_sentences(last, seconds)))
        if earlier:
            print(f"continues the export {earlier.fingerprint}")
    return 1 if findings else 0


@contextmanager
def _check(
    place: Path, trust: Trust, arguments: argparse.Namespace
) -> Iterator[tuple[Opened, Checked]]:
    """Give an export, checked, and open for more."""
    shown = not arguments.json
    if arguments.states:
        with progress(f"indexing {place.name}", "facts", shown=shown) as told:
            index(place, told)
    with progress(f"checking {place.name}", "facts", shown=shown) as told:
        checked = _checked(place, trust, told, arguments)
    with opened_export(place) as export:
        yield export, checked


def _checked(place: Path, trust: Trust, told: Told, arguments: argparse.Namespace) -> Checked:
    if arguments.processes > 1 or arguments.states:
        states, processes = arguments.states, max(arguments.processes, 1)
        return check_apart(place, trust, told, processes=processes, states=states)
    with opened_export(place) as export, uncollected():
        return check(export, trust, told)
