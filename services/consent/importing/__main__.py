"""`./run import FILE…`: brings the directory in from CSV files, or says what that would change."""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from services.consent.facts import VOCABULARY
from services.consent.importing.kinds import KINDS, Asking, Kind, kind_of
from services.consent.importing.running import (
    Came,
    Importing,
    Performing,
    Stopped,
    nothing_said,
)
from services.consent.importing.tables import Table, Unreadable
from services.consent.importing.telling import Telling
from services.consent.settings import Settings
from shared.clock import choose_clock
from shared.contracts.fields import ID_PATTERN
from shared.ledger import stores
from shared.ledger.log import Log
from shared.ledger.recorder import SchemaMissing
from shared.ledger.rehearsal import rehearsal
from shared.marks import Marks
from shared.progress import progress
from shared.server import SWITCH_INTERVAL_S
from shared.web import Caller, Role

GOOD, SOME_BAD, NOT_DONE = 0, 1, 2

HINDRANCES = (
    *(Unreadable, OSError, stores.UnknownStore, SchemaMissing, psycopg.Error),
    *(Stopped, KeyboardInterrupt),
)
"""What keeps an import from beginning, or from going on."""


def main(argv: Sequence[str]) -> int:
    """Import, tell, and return 0 if all lines are good, 1 if not, 2 if it was not done, or half."""
    arguments = _parser().parse_args(argv)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    telling = Telling(as_json=arguments.json, rehearsed=arguments.dry_run)
    try:
        tables = _tables(arguments.files)
        with _performing(Settings(), rehearse=arguments.dry_run) as (performing, marks):
            asking = Asking(marks, Caller(Role.OPERATOR, arguments.by))
            asyncio.run(_import(tables, performing, asking, telling, shown=not arguments.json))
    except HINDRANCES as error:
        print(f"not done: {str(error) or 'interrupted'}", file=sys.stderr)
        print("run it again: what is in stays, and comes in once", file=sys.stderr)
        return NOT_DONE
    telling.end()
    return SOME_BAD if telling.counts[Came.BAD] else GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run import", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV with a header")
    parser.add_argument(
        "--dry-run", action="store_true", help="list every change and bad line, and change nothing"
    )
    parser.add_argument(
        "--by",
        type=_id,
        default="import",
        metavar="ID",
        help="whose word it is: facts name operator:ID (default: import)",
    )
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")
    return parser


def _id(text: str) -> str:
    if not re.fullmatch(ID_PATTERN, text):
        raise argparse.ArgumentTypeError("an id is letters, digits, hyphens, underscores")
    return text


def _tables(files: Sequence[Path]) -> list[tuple[Table, Kind]]:
    """Return the tables in the order in which they are imported, whatever order they came in."""
    tables = [(table, kind_of(table.columns)) for table in map(Table.of, files)]
    return sorted(tables, key=lambda one: KINDS.index(one[1]))


@contextmanager
def _performing(settings: Settings, *, rehearse: bool) -> Iterator[tuple[Performing, Marks]]:
    now = choose_clock(sandbox=settings.sandbox, file=settings.clock_file)
    log = Log(stores.open_recorder(settings.ledger_address, now), VOCABULARY)
    try:
        marks = Marks.of(settings.folder)
        if rehearse:
            with rehearsal(log, VOCABULARY, now) as rehearsed:
                yield rehearsed, marks
        else:
            yield log, marks
    finally:
        log.close()


async def _import(
    tables: Sequence[tuple[Table, Kind]],
    performing: Performing,
    asking: Asking,
    telling: Telling,
    *,
    shown: bool,
) -> None:
    size = sum(table.count() for table, _ in tables)
    with nothing_said() as said, progress("importing", "lines", shown=shown) as show:
        importing = Importing(performing, asking, said)
        for table, kind in tables:
            async for told in importing.run(table, kind):
                telling.line(table.path, kind.noun, told)
                show(telling.counts.total(), size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
